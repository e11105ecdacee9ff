package webhook

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/secret"
)

const (
	defaultTolerance = 5 * time.Minute
	maxTolerance     = 24 * time.Hour
)

// secrets returns the names in references to secrets. A secret that is written out would be in every event, which
// carries its sensor's config.
func (p *problems) secrets(references []string) []string {
	if len(references) == 0 {
		p.add("missing: write references to the secrets of which any one will do, such as [\"${secret:SHOP_WEBHOOK}\"]", "auth", "secrets")
	}
	var names []string
	for i, text := range references {
		name, ok := secret.NameIn(text)
		if !ok {
			p.add("is no reference to a secret: keep the secret where the worker finds it, and write ${secret:NAME}",
				"auth", "secrets", strconv.Itoa(i))
		}
		names = append(names, name)
	}
	return names
}

func (p *problems) hmac(doc authDocument) hmacScheme {
	s := hmacScheme{
		header: doc.Header, hash: algorithmOf(doc.Algorithm), encoding: cmp.Or(doc.Encoding, "hex"), key: cmp.Or(doc.Key, "text"),
		prefix: doc.Prefix, separator: doc.Separator, timestampHeader: doc.Timestamp.Header, timestampPart: doc.Timestamp.Part,
	}
	if doc.Header == "" {
		p.add("missing: name the header that has the signature", "auth", "header")
	} else {
		p.headerName(doc.Header, "auth", "header")
	}
	var err error
	if s.signed, err = parseTemplate(cmp.Or(doc.Signed, "{body}")); err != nil {
		p.add(err.Error(), "auth", "signed")
		return s
	}
	p.timestamp(doc, s)
	s.tolerance = p.tolerance(doc.Tolerance, s.timed())
	return s
}

func (s hmacScheme) timed() bool { return s.timestampHeader != "" || s.timestampPart != "" }

// timestamp checks that a time is signed exactly if there is one: an unsigned time proves nothing.
func (p *problems) timestamp(doc authDocument, s hmacScheme) {
	if s.timestampHeader != "" {
		p.headerName(s.timestampHeader, "auth", "timestamp", "header")
	}
	if s.timestampPart != "" && s.separator == "" {
		p.add("is a part of the header, which has several only with a separator: write separator, such as \",\"", "auth", "timestamp", "part")
	}
	if s.separator != "" && strings.Contains(s.timestampPart+s.prefix, s.separator) {
		p.add(fmt.Sprintf("%q is in prefix or timestamp.part as well, so that no part could be told from the next: write the one that the sender uses", doc.Separator), "auth", "separator")
	}
	switch signed := s.signed.has(placeTimestamp); {
	case s.timed() && !signed:
		p.add("does not have {timestamp}, so that anybody could change the time: write what the sender signs, such as {timestamp}.{body}", "auth", "signed")
	case !s.timed() && signed:
		p.add("has {timestamp}, and nothing says where it is: write timestamp: {header: NAME}", "auth", "signed")
	}
}

func (p *problems) tolerance(text string, timed bool) time.Duration {
	switch {
	case text == "" && timed:
		return defaultTolerance
	case text == "":
		return 0
	case !timed:
		p.add("is about a timestamp, and there is none: leave it out, or write timestamp", "auth", "tolerance")
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > maxTolerance {
		p.add(fmt.Sprintf("%.40q is no good: write a duration of 1s to 24h, such as 5m", text), "auth", "tolerance")
	}
	return d
}
