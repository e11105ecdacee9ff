package store

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/attune-automation/sensors/internal/sensor"
)

// checkItems returns a *sensor.Fault that says which item cannot be stored, if there is one.
func checkItems(s sensor.Sensor, items []sensor.Item) error {
	for i := range items {
		if message := checkItem(s, &items[i]); message != "" {
			return &sensor.Fault{Kind: sensor.FaultOutput, Message: fmt.Sprintf("event %d of the part: %s", i+1, message)}
		}
	}
	return nil
}

func checkItem(s sensor.Sensor, item *sensor.Item) string {
	year := item.OccurredAt.UTC().Year() // of no time, it is 1
	switch {
	case year < 1 || year > 9999:
		return fmt.Sprintf("it occurred in the year %d, which messages cannot say: use one from 1 to 9999", year)
	case len(item.Key) > sensor.MaxKey:
		return fmt.Sprintf("its key has %d bytes, and at most %d are allowed: use a hash of what it is made of", len(item.Key), sensor.MaxKey)
	case !utf8.ValidString(item.Key) || strings.ContainsRune(item.Key, 0):
		return fmt.Sprintf("its key %q is not text that can be stored: use UTF-8 without NUL", item.Key)
	case item.TriggerRef != "" && item.TriggerRef != s.TriggerRef && !slices.Contains(s.TriggerRefs, item.TriggerRef):
		return fmt.Sprintf("its trigger %q is none of the sensor's: add it to triggers in the sensor's file", item.TriggerRef)
	}
	return ""
}
