"""The listening test of section 5.4 of the paper: its page, its collector and its table 9.

`build` makes a folder that people open in a browser and a key beside it, `serve` collects their
answers, `collect` turns answers and the key into tables.
"""
