package config

import (
	"time"

	"github.com/attune-automation/sensors/internal/size"
)

func webhookKeys(c *Config) []key {
	w := &c.Webhooks
	return []key{
		{name: "webhooks.address", value: addressValue{&w.Address, true}, fallback: "127.0.0.1:8083",
			doc: "Where a worker with the role `webhooks` takes requests, host:port; empty: nowhere."},
		{name: "webhooks.base_path", value: basePathValue{&w.BasePath}, fallback: "/webhooks",
			doc: "What the path of every webhook begins with."},
		{name: "webhooks.tls_certificate", value: directoryValue{field: &w.TLSCertificate, off: true}, shown: "none",
			doc: "File of the certificate in PEM, with those that it depends on. It and the key are read again when they change. None: plain HTTP."},
		{name: "webhooks.tls_key", value: directoryValue{field: &w.TLSKey, off: true}, shown: "none",
			doc: "File of the certificate's private key in PEM."},
		{name: "webhooks.trusted_proxies", value: listValue{field: &w.TrustedProxies, word: networks{}, off: true}, shown: "none",
			doc: "Proxies whose `X-Forwarded-For` says who the sender is. Nobody else's counts."},
		{name: "webhooks.max_body", value: sizeValue{field: &w.MaxBody, min: 1, max: size.MiB}, fallback: "1MiB",
			doc: "Longest body, as it is sent and when it is decompressed. A sensor's config can ask for less. An event holds no more than 1MiB."},
		{name: "webhooks.max_header", value: sizeValue{field: &w.MaxHeader, min: size.KiB, max: size.MiB}, fallback: "32KiB",
			doc: "Most bytes of all headers of a request; 4KiB more are put up with."},
		{name: "webhooks.header_timeout", value: durationValue{field: &w.HeaderTimeout, min: 100 * time.Millisecond, max: time.Minute}, fallback: "5s",
			doc: "Time that a sender has for the headers of a request."},
		{name: "webhooks.read_timeout", value: durationValue{field: &w.ReadTimeout, min: 100 * time.Millisecond, max: 10 * time.Minute}, fallback: "10s",
			doc: "Time that a sender has for a request with its body."},
		{name: "webhooks.accept_timeout", value: durationValue{field: &w.AcceptTimeout, min: 10 * time.Millisecond, max: time.Minute}, fallback: "5s",
			doc: "Longest wait for the database, after which the sender is asked to come again."},
		{name: "webhooks.max_requests", value: intValue{field: &w.MaxRequests, min: 1, max: 1_000_000}, fallback: "1000",
			doc: "Most requests at the same time; further ones are asked to come again."},
		{name: "webhooks.address_rate", value: intValue{field: &w.AddressRate, min: 1, max: 1_000_000, off: true}, fallback: "1000",
			doc: "Most requests a second from one IPv4 address, or one /64 network of IPv6."},
		{name: "webhooks.address_connections", value: intValue{field: &w.AddressConnections, min: 1, max: 1_000_000, off: true}, fallback: "500",
			doc: "Most connections at the same time from one IPv4 address, or one /64 network of IPv6, and most requests, of which one connection of HTTP/2 or of a proxy has many. Further connections are closed, further requests asked to come again. Of `webhooks.trusted_proxies` itself, any number."},
		{name: "webhooks.sensor_rate", value: intValue{field: &w.SensorRate, min: 1, max: 1_000_000, off: true}, fallback: "0",
			doc: "Most requests a second for one sensor; a sensor's config can say otherwise (`rate`)."},
		{name: "webhooks.delivery_ttl", value: durationValue{field: &w.DeliveryTTL, min: time.Minute, max: 10 * 365 * day}, fallback: "168h",
			doc: "How long deliveries are kept, counted from the request: until then they can be delivered again, and a repetition is " +
				"recognized. What is no event yet is kept longer."},
	}
}
