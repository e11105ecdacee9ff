package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.temporal.io/server/common/dynamicconfig"
)

// developmentSettings has a KEY=JSON a line; scripts/dev passes the same lines to the temporal command line.
// Tests make many namespaces and list workflows often, and benchmarks look for the server's own limits, so
// the rate limits of production are out of the way, and what is registered is visible at once.
//
//go:embed dynamicconfig.txt
var developmentSettings string

// dynamicConfig is what the file says, and one thing that a line cannot: the server's own worker for batches
// and schedules runs in the default namespace only. It costs 2 MB and a polling loop a namespace, and every
// test leaves a namespace behind.
func dynamicConfig() (dynamicconfig.StaticClient, error) {
	client, err := parseDynamicConfig(developmentSettings)
	if err != nil {
		return nil, err
	}
	client[dynamicconfig.WorkerPerNamespaceWorkerCount.Key()] = []dynamicconfig.ConstrainedValue{
		{Constraints: dynamicconfig.Constraints{Namespace: defaultNamespace}, Value: 1},
		{Value: 0},
	}
	return client, nil
}

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
