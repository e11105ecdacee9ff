package config

// Options say where Load reads.
type Options struct {
	File     string   // a YAML file that must exist; empty: config.yaml in the working directory if there is one
	Environ  []string // as os.Environ returns it
	Optional []string // required keys that this program does without, such as message_queue.url
}

// Load reads defaults, file and environment. Its error names every problem that they have.
func Load(o Options) (Config, error) {
	return Config{}, nil
}
