package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.temporal.io/server/common/dynamicconfig"
)

// developmentDefaults has a KEY=JSON a line. scripts/dev passes the same file to the temporal command line.
// Tests make many namespaces and list workflows often, and benchmarks look for the server's limits, so the
// rate limits of production are out of the way; what is registered is visible at once.
//
//go:embed dynamicconfig.txt
var developmentDefaults string

func defaultDynamicConfig() (map[string]any, error) {
	values := map[string]any{}
	for line := range strings.Lines(developmentDefaults) {
		if err := setDynamicConfig(values, strings.TrimSpace(line)); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// setDynamicConfig adds one KEY=JSON. The server wants whole numbers as int, which encoding/json never yields.
func setDynamicConfig(values map[string]any, line string) error {
	key, text, found := strings.Cut(line, "=")
	if !found || key == "" {
		return fmt.Errorf("dynamic config value %q: want KEY=JSON", line)
	}
	if number, err := strconv.Atoi(text); err == nil {
		values[key] = number
		return nil
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return fmt.Errorf("dynamic config value of %s: %q is not JSON: %w", key, text, err)
	}
	values[key] = value
	return nil
}

func dynamicConfigClient(values map[string]any) dynamicconfig.StaticClient {
	client := dynamicconfig.StaticClient{}
	for key, value := range values {
		client[dynamicconfig.MakeKey(key)] = value
	}
	return client
}
