package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.temporal.io/server/common/dynamicconfig"
)

// developmentConfig has a KEY=JSON a line; scripts/dev passes the same lines to the temporal command line.
// Tests make many namespaces and list workflows often, and benchmarks look for the server's own limits, so
// the rate limits of production are out of the way, and what is registered is visible at once.
//
//go:embed dynamicconfig.txt
var developmentConfig string

// parseDynamicConfig makes whole numbers ints, which the server insists on and encoding/json never yields.
func parseDynamicConfig(text string) (dynamicconfig.StaticClient, error) {
	client := dynamicconfig.StaticClient{}
	for line := range strings.Lines(text) {
		key, literal, _ := strings.Cut(strings.TrimSpace(line), "=")
		if number, err := strconv.Atoi(literal); err == nil {
			client[dynamicconfig.MakeKey(key)] = number
			continue
		}
		var value any
		if err := json.Unmarshal([]byte(literal), &value); err != nil {
			return nil, fmt.Errorf("dynamic config value of %s: %q is not JSON: %w", key, literal, err)
		}
		client[dynamicconfig.MakeKey(key)] = value
	}
	return client, nil
}
