package messaging

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// namespaceID is the namespace of all message IDs. It never changes: consumers recognize repetitions by the IDs.
const namespaceID = "bc052f8a-a6e7-4be3-9cc4-3d627fe0f958"

// EventMessageID returns the ID of the EventCreated message of the event row with that id and created. It is the UUIDv5,
// in the namespace bc052f8a-a6e7-4be3-9cc4-3d627fe0f958, of
//
//	event/<id>/<created in UTC as 2006-01-02T15:04:05.000000Z>
//
// created is part of it because a database that is built anew counts its ids from 1 again.
func EventMessageID(id int64, created time.Time) uuid.UUID {
	return messageID("event", id, created)
}

// EnforcementMessageID returns the ID of the EnforcementCreated message of the enforcement row with that id and created:
// as EventMessageID, of enforcement/<id>/<created>.
func EnforcementMessageID(id int64, created time.Time) uuid.UUID {
	return messageID("enforcement", id, created)
}

func messageID(kind string, id int64, created time.Time) uuid.UUID {
	name := fmt.Sprintf("%s/%d/%s", kind, id, created.UTC().Format("2006-01-02T15:04:05.000000Z"))
	return uuid.NewSHA1(uuid.MustParse(namespaceID), []byte(name))
}
