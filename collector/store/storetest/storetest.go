// Package storetest is the suite that every store.Store passes, and Model, a
// store in memory that is slow and simple enough to be right.
package storetest
