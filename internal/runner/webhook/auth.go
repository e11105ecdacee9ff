package webhook

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The types of authentication that are no preset.
const (
	authNone   = "none"
	authBearer = "bearer"
	authAPIKey = "api_key"
	authBasic  = "basic"
	authHMAC   = "hmac"
)

// Auth is how senders prove who they are, with presets spelled out.
type Auth struct {
	kind     string   // a type that is no preset
	secrets  []string // names
	username string
	header   string
	query    string
	hmac     hmacScheme

	id        IDSource  // where senders of a preset write the ID of a delivery
	headers   []string  // that tell what a preset's delivery is about, lower case
	handshake handshake // what a preset's senders ask before they deliver
}

// hmacScheme says what is signed, and where the signature is.
type hmacScheme struct {
	header          string
	hash            func() hash.Hash
	encoding        string // hex or base64
	key             string // how the secret writes the key: text, hex or base64
	keyPrefix       string // of the secret, may be missing
	prefix          string // of each signature
	separator       string // between the parts of the header; empty: it has one
	signed          template
	timestampHeader string
	timestampPart   string        // prefix of the part of header that is the time
	tolerance       time.Duration // 0: there is no time
}

// authDocument is auth as it is written.
type authDocument struct {
	Type      string            `json:"type"`
	Secrets   []string          `json:"secrets"`
	Username  string            `json:"username"`
	Header    string            `json:"header"`
	Query     string            `json:"query"`
	Algorithm string            `json:"algorithm"`
	Encoding  string            `json:"encoding"`
	Key       string            `json:"key"`
	Prefix    string            `json:"prefix"`
	Separator string            `json:"separator"`
	Signed    string            `json:"signed"`
	Timestamp timestampDocument `json:"timestamp"`
	Tolerance string            `json:"tolerance"`
}

type timestampDocument struct {
	Header string `json:"header"`
	Part   string `json:"part"`
}

// keysOf returns the keys that a type takes besides type.
func keysOf(kind string) []string {
	switch kind {
	case authNone:
		return nil
	case authAPIKey:
		return []string{"secrets", "header", "query"}
	case authBasic:
		return []string{"secrets", "username"}
	case authHMAC:
		return []string{"secrets", "header", "algorithm", "encoding", "key", "prefix", "separator", "signed", "timestamp", "tolerance"}
	case "stripe", "slack", "standard-webhooks":
		return []string{"secrets", "tolerance"}
	}
	return []string{"secrets"}
}

func (p *problems) auth(raw json.RawMessage) Auth {
	if len(raw) == 0 || raw[0] == '"' {
		return p.word(raw)
	}
	var doc authDocument
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &doc); err != nil {
		p.add(err.Error(), "auth")
		return Auth{}
	}
	if err := json.Unmarshal(raw, &keys); err != nil {
		p.add(err.Error(), "auth")
	}
	allowed := append(keysOf(doc.Type), "type")
	for key := range keys {
		if !slices.Contains(allowed, key) {
			p.add(fmt.Sprintf("type %s has no such key: leave it out", doc.Type), "auth", key)
		}
	}
	if doc.Type == authNone {
		return Auth{kind: authNone}
	}
	a := Auth{kind: doc.Type, secrets: p.secrets(doc.Secrets), username: doc.Username, header: doc.Header, query: doc.Query}
	switch doc.Type {
	case authBearer:
		a.header = "Authorization"
	case authBasic:
		a.header = "Authorization"
		p.username(doc.Username)
	case authAPIKey:
		p.apiKey(doc)
	case authHMAC:
		a.hmac = p.hmac(doc)
	default:
		a = p.preset(doc, a)
	}
	return a
}

// word reads an auth that is no object: none, which has to be written.
func (p *problems) word(raw json.RawMessage) Auth {
	const example = `such as {type: bearer, secrets: ["${secret:SHOP_WEBHOOK}"]}, or none to take what anybody sends`
	var word string
	switch err := json.Unmarshal(raw, &word); {
	case len(raw) == 0:
		p.add("missing: write how senders prove who they are, "+example, "auth")
	case err != nil:
		p.add(err.Error(), "auth")
	case word != authNone:
		p.add(fmt.Sprintf("%.60q is not enough: write an object, %s", word, example), "auth")
	}
	return Auth{kind: authNone}
}

func (p *problems) username(name string) {
	switch {
	case name == "":
		p.add("missing: write the name that senders give beside the password", "auth", "username")
	case strings.Contains(name, "${"):
		p.add("is no place for references to secrets: write the name itself", "auth", "username")
	case strings.Contains(name, ":"):
		p.add(fmt.Sprintf("%q has a colon, which ends a name: leave it out", name), "auth", "username")
	}
}

func (p *problems) apiKey(doc authDocument) {
	switch {
	case (doc.Header == "") == (doc.Query == ""):
		p.add("write header or query, and not both: the place where senders write the key", "auth")
	case doc.Header != "":
		p.headerName(doc.Header, "auth", "header")
	}
}

func algorithmOf(name string) func() hash.Hash {
	switch name {
	case "sha1":
		return sha1.New
	case "sha512":
		return sha512.New
	}
	return sha256.New
}

// isSecretHeader says whether a header can prove who somebody is, here or elsewhere.
func (a Auth) isSecretHeader(name string) bool {
	name = http.CanonicalHeaderKey(name)
	return slices.Contains([]string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}, name) ||
		a.header != "" && http.CanonicalHeaderKey(a.header) == name ||
		a.hmac.header != "" && http.CanonicalHeaderKey(a.hmac.header) == name
}
