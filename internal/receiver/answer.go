package receiver

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer is what a sender is told.
type answer struct {
	status int
	body   json.RawMessage
	header map[string]string
	reason string // of a refusal, for metrics: a word
	detail error  // of a refusal, for the log alone
}

// accepted is the answer to a delivery that is committed. A repetition gets the same.
func accepted(id string) answer {
	body, _ := json.Marshal(map[string]string{"delivery_id": id}) // a string always can be
	return answer{status: http.StatusAccepted, body: body}
}

// refused is the answer to a request that is not taken. The message tells the sender nothing but what it has to change.
func refused(status int, reason, message string) answer {
	body, _ := json.Marshal(map[string]string{"error": message}) // a string always can be
	return answer{status: status, body: body, reason: reason}
}

// later asks the sender to come again.
func later(status int, reason, message string, wait time.Duration) answer {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	return refused(status, reason, message).with("Retry-After", strconv.Itoa(seconds))
}

func notFound() answer { return refused(http.StatusNotFound, "not_found", "there is no such webhook") }

func methodNotAllowed(methods []string) answer {
	return refused(http.StatusMethodNotAllowed, "method", "the method is not allowed").with("Allow", strings.Join(methods, ", "))
}

func unauthorized(challenge string, detail error) answer {
	a := refused(http.StatusUnauthorized, "auth", "the request does not prove who sent it")
	a.detail = detail
	if challenge != "" {
		a = a.with("WWW-Authenticate", challenge)
	}
	return a
}

func tooLarge() answer {
	return refused(http.StatusRequestEntityTooLarge, "body", "the body is too large")
}

func (a answer) with(name, value string) answer {
	if a.header == nil {
		a.header = map[string]string{}
	}
	a.header[name] = value
	return a
}

func (a answer) write(w http.ResponseWriter) {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	_, _ = w.Write(append(a.body, '\n')) // fails only when the sender has gone
}
