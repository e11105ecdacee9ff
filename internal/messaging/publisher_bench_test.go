package messaging

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// BenchmarkPublish measures confirmed messages a second on a quorum queue, by the number of messages that may wait for
// their confirms: one caller that publishes batches of 1,000.
func BenchmarkPublish(b *testing.B) {
	for _, window := range []int{1, 64, 128, 256, 512, 1000, 2000} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			s := setup(b)
			s.cfg.window = window
			s.cfg.Logger = zap.NewNop()
			p := s.start(b)
			healthy(b, p)
			batch := events(1, 1000)
			for b.Loop() {
				require.NoError(b, p.PublishEvents(b.Context(), batch))
			}
			b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkPublishSmall measures confirmed messages a second of many callers that publish one message each.
func BenchmarkPublishSmall(b *testing.B) {
	for _, channels := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprintf("channels=%d", channels), func(b *testing.B) {
			s := setup(b)
			s.cfg.Channels = channels
			s.cfg.Logger = zap.NewNop()
			p := s.start(b)
			healthy(b, p)
			event := events(1, 1)
			b.SetParallelism(50)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := p.PublishEvents(b.Context(), event); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
