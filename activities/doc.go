// Package activities holds the steps of the pipeline as Temporal activities: poll, generate-event, match-rules, and
// those that serve them. Each is a struct that holds what the step needs behind small interfaces of its own, and each
// may run any number of times, at any moment, on any worker: the rows in the database decide what is left to do.
package activities
