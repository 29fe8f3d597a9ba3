"""Runs through ``submit``, the command with which a HUBzero hub such as nanoHUB reaches clusters.

There is no login node to talk to: the agent of these clusters (`agent`) is part of the keeper. It
packs a job (`parcel`), passes it to ``submit`` (`command`, `job_folder`), follows it and unpacks
what comes back (`returned`). `venue` is the program that runs there; its reports on the runs come
back in the standard output of the job (`reports`).

The interface of ``submit`` is taken from

- its usage message and the steps of a run: https://help.hubzero.org/documentation/22/tooldevs/grid/submitcmd
- ``=SUBMIT-PROGRESS=>`` lines, ``--runName`` of letters and digits only, ``NAME.stdout``, and
  results in the working directory: ``hublib/ui/submit.py`` (github.com/hubzero/hublib). A later
  version of the same file detaches first and then attaches with the number that is printed
- the line that gives the number of a detached run, and the columns of ``--status``: programs that
  drive ``submit`` on nanoHUB, such as ``SubmitJob.check_status`` of DFTman
- all options: ``nanohubsubmit/builder.py`` (github.com/denphi/nanohub-submit)
- ``--tailStdout`` for the progress of a running job: the earlier version of this tool
  (github.com/softmaterialslab/nanoconfinement-md)
"""
