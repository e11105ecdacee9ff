package schema

import "sync"

// Cache keeps compiled schemas by their text, for callers that check many documents against few schemas. It is safe
// for concurrent use.
type Cache struct {
	max int

	mu       sync.RWMutex
	compiled map[string]*Schema
}

// NewCache returns a cache of at most max schemas.
func NewCache(max int) *Cache {
	return &Cache{max: max, compiled: map[string]*Schema{}}
}

// Get returns the compiled form of a schema, as Compile does.
func (c *Cache) Get(name string, raw []byte) (*Schema, error) {
	c.mu.RLock()
	s, ok := c.compiled[string(raw)]
	c.mu.RUnlock()
	if ok {
		return s, nil
	}
	s, err := Compile(name, raw)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.compiled) >= c.max {
		c.evict()
	}
	c.compiled[string(raw)] = s
	return s, nil
}

// evict drops any one schema: with more schemas than the cache holds, no order of eviction is much better.
func (c *Cache) evict() {
	for raw := range c.compiled {
		delete(c.compiled, raw)
		return
	}
}
