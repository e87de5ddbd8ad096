package claim

// Sums lists the hashes of files.
var Sums = sums
