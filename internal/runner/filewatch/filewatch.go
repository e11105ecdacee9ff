// Package filewatch watches files for sensors: for files that come, change, move and go, or for lines that are appended.
// Polling is the truth; notifications of the kernel only say when to poll at once.
package filewatch
