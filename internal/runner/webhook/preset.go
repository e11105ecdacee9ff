package webhook

import "cmp"

// handshake is what senders ask before they deliver. Its answer makes no event.
type handshake string

const (
	handshakeNone   handshake = ""
	handshakeGitHub handshake = "github" // X-GitHub-Event: ping
	handshakeSlack  handshake = "slack"  // {"type": "url_verification", "challenge": ...}
)

// preset spells out a type that stands for a sender. Each can be written as hmac or api_key as well.
func (p *problems) preset(doc authDocument, a Auth) Auth {
	a.kind = authHMAC
	switch doc.Type {
	case "github":
		a.hmac = p.hmac(authDocument{Header: "X-Hub-Signature-256", Prefix: "sha256="})
		a.id = IDSource{Header: "X-GitHub-Delivery"}
		a.headers = []string{"x-github-event", "x-github-delivery"}
		a.handshake = handshakeGitHub
	case "gitlab":
		a.kind, a.header = authAPIKey, "X-Gitlab-Token"
		a.id = IDSource{Header: "Idempotency-Key"}
		a.headers = []string{"x-gitlab-event", "x-gitlab-instance"}
	case "stripe":
		a.hmac = p.hmac(authDocument{
			Header: "Stripe-Signature", Prefix: "v1=", Separator: ",", Timestamp: timestampDocument{Part: "t="},
			Signed: "{timestamp}.{body}", Tolerance: cmp.Or(doc.Tolerance, "5m"),
		})
		a.id = IDSource{Body: []string{"id"}}
	case "slack":
		a.hmac = p.hmac(authDocument{
			Header: "X-Slack-Signature", Prefix: "v0=", Timestamp: timestampDocument{Header: "X-Slack-Request-Timestamp"},
			Signed: "v0:{timestamp}:{body}", Tolerance: cmp.Or(doc.Tolerance, "5m"),
		})
		a.id = IDSource{Body: []string{"event_id"}}
		a.headers = []string{"x-slack-retry-num", "x-slack-retry-reason"}
		a.handshake = handshakeSlack
	case "standard-webhooks":
		a.hmac = p.hmac(authDocument{
			Header: "webhook-signature", Encoding: "base64", Key: "base64", Prefix: "v1,", Separator: " ",
			Timestamp: timestampDocument{Header: "webhook-timestamp"},
			Signed:    "{header:webhook-id}.{timestamp}.{body}", Tolerance: cmp.Or(doc.Tolerance, "5m"),
		})
		a.hmac.keyPrefix = "whsec_"
		a.id = IDSource{Header: "webhook-id"}
		a.headers = []string{"webhook-id", "webhook-timestamp"}
	}
	return a
}
