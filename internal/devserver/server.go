package main

import (
	"fmt"

	"github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/testing/freeport"
	"go.temporal.io/server/temporal"
)

const (
	clusterName      = "active"
	defaultNamespace = "default"
)

func newServer(s settings) (temporal.Server, error) {
	store := sqliteStore(s.database)
	if err := prepareStore(s.database, store); err != nil {
		return nil, err
	}
	cfg := &config.Config{
		Global: config.Global{
			Metrics: &metrics.Config{
				ClientConfig: metrics.ClientConfig{PerUnitHistogramBoundaries: oneBucket()},
				Prometheus: &metrics.PrometheusConfig{
					ListenAddress: s.address(s.metricsPort),
					HandlerPath:   "/metrics",
				},
			},
		},
		Persistence: config.Persistence{
			DefaultStore:     "store",
			VisibilityStore:  "store",
			NumHistoryShards: 1,
			DataStores:       map[string]config.DataStore{"store": {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: s.address(s.port)},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
		PublicClient: config.PublicClient{HostPort: s.address(s.port)},
		Services:     map[string]config.Service{},
	}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for service, port := range map[primitives.ServiceName]int{
		primitives.FrontendService: s.port,
		primitives.HistoryService:  freeport.MustGetFreePort(),
		primitives.MatchingService: freeport.MustGetFreePort(),
		primitives.WorkerService:   freeport.MustGetFreePort(),
	} {
		cfg.Services[string(service)] = config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: s.ip}}
		hosts[service] = static.SingleLocalHost(s.address(port))
	}
	dynamic, err := dynamicConfig()
	if err != nil {
		return nil, err
	}
	instance, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithDynamicConfigClient(dynamic),
		temporal.WithLogger(log.NewZapLogger(log.BuildZapLogger(log.Config{Stdout: true, Level: "warn"}))),
	)
	if err != nil {
		return nil, fmt.Errorf("configuring the Temporal server: %w", err)
	}
	return instance, nil
}

// oneBucket leaves sums and counts of histograms. A test has a namespace of its own and every namespace its own
// histograms, for ever: with all their buckets a day of tests fills gigabytes.
func oneBucket() map[string][]float64 {
	return map[string][]float64{
		metrics.Dimensionless: {1},
		metrics.Milliseconds:  {1},
		metrics.Bytes:         {1},
	}
}

func newUI(s settings) *server.Server {
	return server.NewServer(server_options.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: s.address(s.port),
		Host:                s.ip,
		Port:                s.uiPort,
		EnableUI:            true,
		DefaultNamespace:    defaultNamespace,
		DisableNewsFetch:    true,
		HideLogs:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true},
	}))
}
