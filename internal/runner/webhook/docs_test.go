package webhook

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The configs on the page are good ones, and its table has every key that there is.
func TestDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/webhooks.md")
	require.NoError(t, err)
	configs := 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		var document struct{ Config map[string]any }
		require.NoError(t, yaml.Unmarshal([]byte(block[1]), &document), block[1])
		if document.Config == nil {
			continue
		}
		config, err := json.Marshal(document.Config)
		require.NoError(t, err)
		_, err = Parse(config)
		require.NoError(t, err, block[1])
		configs++
	}
	require.Equal(t, 4, configs)

	var schema struct{ Properties map[string]any }
	require.NoError(t, json.Unmarshal(configSchema, &schema))
	_, table, _ := strings.Cut(string(page), "\n## Config\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var documented, known []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)`").FindAllStringSubmatch(table, -1) {
		documented = append(documented, m[1])
	}
	for key := range schema.Properties {
		known = append(known, key)
	}
	slices.Sort(known)
	require.ElementsMatch(t, known, documented)
}

// The presets are what the page says that they stand for.
func TestPresetsAreWhatTheyStandFor(t *testing.T) {
	t.Parallel()
	for name, spelled := range map[string]string{
		"github": `{"type": "hmac", "header": "X-Hub-Signature-256", "prefix": "sha256=", "secrets": ["${secret:A}"]}`,
		"stripe": `{"type": "hmac", "header": "Stripe-Signature", "separator": ",", "prefix": "v1=", "timestamp": {"part": "t="},
			"signed": "{timestamp}.{body}", "secrets": ["${secret:A}"]}`,
		"slack": `{"type": "hmac", "header": "X-Slack-Signature", "prefix": "v0=", "timestamp": {"header": "X-Slack-Request-Timestamp"},
			"signed": "v0:{timestamp}:{body}", "secrets": ["${secret:A}"]}`,
		"standard-webhooks": `{"type": "hmac", "header": "webhook-signature", "separator": " ", "prefix": "v1,", "encoding": "base64", "key": "base64",
			"timestamp": {"header": "webhook-timestamp"}, "signed": "{header:webhook-id}.{timestamp}.{body}", "secrets": ["${secret:A}"]}`,
	} {
		preset, err := Parse([]byte(`{"auth": {"type": "` + name + `", "secrets": ["${secret:A}"]}}`))
		require.NoError(t, err)
		own, err := Parse([]byte(`{"auth": ` + spelled + `}`))
		require.NoError(t, err)
		for _, scheme := range []*hmacScheme{&preset.Auth.hmac, &own.Auth.hmac} {
			require.NotNil(t, scheme.hash)
			scheme.hash, scheme.keyPrefix = nil, ""
		}
		require.Equal(t, own.Auth.hmac, preset.Auth.hmac, name)
	}
}
