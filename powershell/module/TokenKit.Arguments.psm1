# Empty, for Import-Module TokenKit -ArgumentList DistinctNames: only a script module is given the list. TokenKit.dll, the
# next nested module, reads it from here; each line of code would be compiled at every import.
