"""The paper's comparisons, run on a workspace, with the paper's rows beside ours."""
