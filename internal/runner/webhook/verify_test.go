package webhook

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slackBody is the example of Slack's documentation.
const slackBody = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
	"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com" +
	"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

// vector is a request that was signed by somebody else.
type vector struct {
	config, secret string
	request        Request
}

func vectors() map[string]vector {
	return map[string]vector{
		"GitHub, from its documentation": {`{"auth": {"type": "github", "secrets": ["${secret:B}", "${secret:A}"]}}`, "It's a Secret to Everybody", Request{
			Header: headers("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
			Body:   []byte("Hello, World!"),
		}},
		"Slack, from its documentation": {`{"auth": {"type": "slack", "secrets": ["${secret:A}"]}}`, "8f742231b10e8888abcd99yyyzzz85a5", Request{
			Header: headers("X-Slack-Request-Timestamp", "1531420618",
				"X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
			Body: []byte(slackBody), Now: time.Unix(1531420618+299, 0),
		}},
		"Standard Webhooks, from its libraries": {`{"auth": {"type": "standard-webhooks", "secrets": ["${secret:A}"]}}`, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Request{
			Header: headers("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330",
				"webhook-signature", "v1a,unknown v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
			Body: []byte(`{"test": 2432232314}`), Now: time.Unix(1614265330-299, 0),
		}},
		// printf '%s' '1492774577.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test_secret
		"Stripe, by openssl": {`{"auth": {"type": "stripe", "secrets": ["${secret:A}"]}}`, "whsec_test_secret", Request{
			Header: headers("Stripe-Signature", "t=1492774577,v1=0000,v1=799c4ba7bb339f3c8601adfd112f0e477c930a268be1243d341abb8286501c2f,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"),
			Body:   []byte(`{"id":"evt_1"}`), Now: time.Unix(1492774577, 0),
		}},
		"GitLab": {`{"auth": {"type": "gitlab", "secrets": ["${secret:A}"]}}`, "gitlab-token", Request{Header: headers("X-Gitlab-Token", "gitlab-token")}},
		"bearer": {`{"auth": {"type": "bearer", "secrets": ["${secret:A}"]}}`, "s3cret!!", Request{Header: headers("Authorization", "bearer s3cret!!")}},
		"basic": {`{"auth": {"type": "basic", "username": "shop", "secrets": ["${secret:A}"]}}`, "pass:word", Request{
			Header: headers("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("shop:pass:word"))),
		}},
		"API key in the query": {`{"auth": {"type": "api_key", "query": "k", "secrets": ["${secret:A}"]}}`, "a b+c", Request{Query: "x=1&k=a+b%2Bc"}},
		// printf 'POST/hooks/x?a=1\nid-7\nbody' | openssl dgst -sha512 -mac HMAC -macopt hexkey:00112233445566
		"all of a request": {
			`{"auth": {"type": "hmac", "header": "X-Sig", "algorithm": "sha512", "encoding": "base64", "key": "hex", "secrets": ["${secret:A}"],
				"signed": "{method}{path}?{query}\n{header:X-Id}\n{body}"}}`, "00112233445566",
			Request{Method: "POST", Path: "/hooks/x", Query: "a=1", Header: headers("X-Sig", "gTgb/dpazsvcmxKVaP10vf0Tst+d4UY4KbSk6sUIZkQ1oiYYH0l6mB6twtyhhexum9t7DnxIxFolOeQkqLwiig==", "X-Id", "id-7"), Body: []byte("body")},
		},
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	for name, v := range vectors() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, v.config, v.secret, "another secret")
			require.NoError(t, e.Verify(v.request))

			forged := v.request
			forged.Body = append([]byte(" "), v.request.Body...)
			if e.SignsBody() {
				require.Error(t, e.Verify(forged), "the body counts")
			}
			forged = v.request
			forged.Header, forged.Query = headers(), ""
			require.Error(t, e.Verify(forged))

			e = open(t, v.config, v.secret+"0a", "another secret")
			err := e.Verify(v.request)
			require.Error(t, err)
			require.NotContains(t, err.Error(), v.secret)
		})
	}
}

// A request that was recorded cannot be repeated later, nor one that is made for later be used now.
func TestTolerance(t *testing.T) {
	t.Parallel()
	v := vectors()["Slack, from its documentation"]
	e := open(t, v.config, v.secret, "")
	for _, second := range []int64{1531420618 - 301, 1531420618 + 301} {
		v.request.Now = time.Unix(second, 0)
		require.ErrorContains(t, e.Verify(v.request), "more than 5m0s from now")
	}
	e = open(t, `{"auth": {"type": "slack", "tolerance": "10m", "secrets": ["${secret:A}"]}}`, v.secret, "")
	require.NoError(t, e.Verify(v.request))

	v.request.Header.Set("X-Slack-Request-Timestamp", "1531420619")
	require.ErrorContains(t, e.Verify(v.request), "no signature is that of a secret", "the time is signed")
	v.request.Header.Del("X-Slack-Request-Timestamp")
	require.ErrorContains(t, e.Verify(v.request), "X-Slack-Request-Timestamp is there 0 times")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	const good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	v := vectors()["GitHub, from its documentation"]
	e := open(t, v.config, v.secret, "another secret")
	for name, header := range map[string][]string{
		"twice":           {"X-Hub-Signature-256", good, "X-Hub-Signature-256", good},
		"without prefix":  {"X-Hub-Signature-256", good[len("sha256="):]},
		"another digit":   {"X-Hub-Signature-256", good[:len(good)-1] + "8"},
		"cut off":         {"X-Hub-Signature-256", good[:len(good)-2]},
		"not hexadecimal": {"X-Hub-Signature-256", "sha256=" + "zz"},
		"empty":           {"X-Hub-Signature-256", "sha256="},
		"SHA-1":           {"X-Hub-Signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"},
	} {
		v.request.Header = headers(header...)
		require.Error(t, e.Verify(v.request), name)
	}
	basic := open(t, `{"auth": {"type": "basic", "username": "shop", "secrets": ["${secret:A}"]}}`, "password", "")
	for name, value := range map[string]string{
		"another name": "Basic " + base64.StdEncoding.EncodeToString([]byte("shop2:password")),
		"no colon":     "Basic " + base64.StdEncoding.EncodeToString([]byte("shoppassword")),
		"plain":        "Basic shop:password",
		"bearer":       "Bearer password",
	} {
		require.Error(t, basic.Verify(Request{Header: headers("Authorization", value)}), name)
	}
}

// Every secret is one that will do, so that a sender can be given a new one while the old one is in use.
func TestRotation(t *testing.T) {
	t.Parallel()
	e := open(t, `{"auth": {"type": "bearer", "secrets": ["${secret:A}", "${secret:B}"]}}`, "the old one", "the new one")
	for _, secret := range []string{"the old one", "the new one"} {
		require.NoError(t, e.Verify(Request{Header: headers("Authorization", "Bearer "+secret)}))
	}
	require.Error(t, e.Verify(Request{Header: headers("Authorization", "Bearer the")}))
}

func TestUnfitSecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, want string }{
		"missing":    {`{"auth": {"type": "bearer", "secrets": ["${secret:NONE}"]}}`, `config.auth.secrets[0]: there is no secret "NONE"`},
		"not base64": {`{"auth": {"type": "standard-webhooks", "secrets": ["${secret:A}"]}}`, `secret "A" is no key in base64: not base64`},
		"short":      {`{"auth": {"type": "hmac", "header": "X", "key": "hex", "secrets": ["${secret:B}"]}}`, `secret "B" is no key in hex: fewer than 4 bytes`},
	} {
		_, err := Open([]byte(c.config), secrets{"A": "%%%%", "B": "abcd"})
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), "%%%%")
	}
}
