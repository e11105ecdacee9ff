package store

// FirstID is firstID, by which tests make deliveries of the past.
var FirstID = firstID
