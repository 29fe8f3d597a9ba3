#!/bin/sh
# Starts nanoconf in the container; tini -g passes signals on to this script and to nanoconf.
#
# The keeper and the simulations detach from their parent processes. When nanoconf ends, so does the
# container, and the kernel kills what is left; a signal first lets the simulations end at a
# checkpoint.

trap : HUP INT TERM
nanoconf "$@"
status=$?
# Elsewhere, as with --pid=host, the signal would reach the processes of others.
if [ "$PPID" -eq 1 ] && [ "$(cat /proc/1/comm)" = tini ]; then
    kill -TERM -1 2>/dev/null
    # A shell that somebody has opened in the container may ignore the signal.
    tries=300
    while [ "$tries" -gt 0 ] && kill -0 -1 2>/dev/null; do
        sleep 0.1
        tries=$((tries - 1))
    done
fi
exit "$status"
