"""The published network and the paper's figures about it, made again with this project's data.

JCS Kadupitiya, Fanbo Sun, Geoffrey Fox and Vikram Jadhao, "Machine learning surrogates for
molecular dynamics simulations of soft materials", J. Comput. Sci. 42, 101107 (2020), section 3
onwards. ``nanoconf paper …`` runs each part: `training` (loss curves), `grid_search`, `accuracy`
(the success rate A, Fig. 4), `profiles` (Figs. 5 and 6) and `speed_up` (equation 3).

It is what the shipped surrogate is measured against, and does not ship itself.
"""
