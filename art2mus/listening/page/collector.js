/* Where answers go: nowhere but into a download. `art2mus listen serve` gives another file here. */
"use strict";
const COLLECTOR = null;
