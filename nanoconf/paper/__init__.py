"""The published network and the paper's tables and figures, reproduced with this project's data.

JCS Kadupitiya, Fanbo Sun, Geoffrey Fox and Vikram Jadhao, "Machine learning surrogates for
molecular dynamics simulations of soft materials", J. Comput. Sci. 42, 101107 (2020), section 3
onwards. ``nanoconf paper …`` runs each part: `network_training` (loss curves), `grid_search`,
`accuracy` (the success rate A, Fig. 4), `profile_figures` (Figs. 5 and 6) and `speed_up`
(equation 3).

The network is a reference for the shipped surrogate and is not shipped itself.
"""
