package store

// DayPrefix begins the names of the documents that list closed days in the
// ledger.
const DayPrefix = "ledger/day/"
