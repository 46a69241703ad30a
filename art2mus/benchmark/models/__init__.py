"""The generating models and controls of the benchmark, one file each; `registry` names them."""
