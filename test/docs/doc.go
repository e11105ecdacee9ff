// Package docs holds tests that keep the documents honest: what they show is run, what they name exists, and the tables
// that the code decides are computed by it. Run them with -update after a change to rewrite what is computed.
package docs
