package docs

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/secret"
)

// composeFile is as much of docker-compose.yml as the tests look at. What they do not know is an error, so that it is
// looked at once.
type composeFile struct {
	Name     string
	Settings any `yaml:"x-settings"`
	Services map[string]service
	Volumes  map[string]any
}

type service struct {
	Image       string
	Hostname    string
	Build       *struct{ Context, Dockerfile string }
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Environment map[string]string
	Command     []string
	Ports       []string
	Volumes     []string
	Restart     string
	GracePeriod time.Duration `yaml:"stop_grace_period"`
	Healthcheck *struct {
		Test              []string
		Interval, Timeout time.Duration
		Retries           int
	}
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	var c composeFile
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&c))
	require.NotEmpty(t, c.Services)
	return c
}

// oneShot says whether the service does something once and ends.
func (s service) oneShot() bool { return s.Healthcheck == nil && len(s.Ports) == 0 }

func TestComposeImages(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for name, s := range c.Services {
		if s.Build != nil {
			require.FileExists(t, filepath.Join(root, s.Build.Context, s.Build.Dockerfile), name)
			continue
		}
		require.Regexp(t, `^[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?$`, s.Image, "%s has no version of its own", name)
	}
	for _, m := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(read(t, "deploy/Dockerfile"), -1) {
		require.Regexp(t, `:\d+\.\d+`, m[1])
	}
	// The servers are those that the tests run on.
	devserver := read(t, "internal/devserver/go.mod")
	require.Contains(t, devserver, "go.temporal.io/server v"+tag(c.Services["temporal"].Image))
	require.Contains(t, devserver, "github.com/temporalio/ui-server/v2 v"+tag(c.Services["temporal-ui"].Image))
	require.Equal(t, tag(c.Services["temporal"].Image), tag(c.Services["temporal-schema"].Image))
	_, goVersion, _ := strings.Cut(read(t, "go.mod"), "\ngo ")
	require.Contains(t, read(t, "deploy/Dockerfile"), "golang:"+strings.Fields(goVersion)[0]+" ")
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(text)
}

func tag(image string) string {
	_, tag, _ := strings.Cut(image, ":")
	return tag
}

// Nothing listens beyond this machine, no two services share a port, and the ports are those of the documentation.
func TestComposePorts(t *testing.T) {
	t.Parallel()
	published := map[string]string{}
	for name, s := range readCompose(t).Services {
		for _, port := range s.Ports {
			m := regexp.MustCompile(`^127\.0\.0\.1:(\d+):(\d+)$`).FindStringSubmatch(port)
			require.NotNil(t, m, "%s publishes %s, which is not on the loopback interface", name, port)
			require.Empty(t, published[m[1]], "%s and %s publish port %s", name, published[m[1]], m[1])
			published[m[1]] = name
		}
	}
	require.Equal(t, "temporal", published["7233"], "the default of temporal.address")
	require.Equal(t, "worker", published["8080"], "the default of ops.address")
	require.Equal(t, "worker", published["8083"], "the default of webhooks.address")
	comment, _, _ := strings.Cut(read(t, "docker-compose.yml"), "\nname:")
	addresses := regexp.MustCompile(`http://127\.0\.0\.1:(\d+)`).FindAllStringSubmatch(comment, -1)
	require.Len(t, addresses, 4)
	for _, m := range addresses {
		require.NotEmpty(t, published[m[1]], m[0])
	}
}

// The settings are keys of the configuration, with values that it takes, and lead to the services of the file.
func TestComposeSettings(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	documented := readPage(t, "docs/configuration.md").text
	for _, name := range []string{"worker", "migrate"} {
		environment := c.Services[name].Environment
		require.NotEmpty(t, environment)
		var environ []string
		for _, key := range slices.Sorted(maps.Keys(environment)) {
			if !strings.HasPrefix(key, secret.EnvPrefix) {
				require.Contains(t, documented, "`"+key+"`")
			}
			environ = append(environ, key+"="+environment[key])
		}
		cfg, err := config.Load(config.Options{Environ: append(environ, "HOME="+t.TempDir())})
		require.NoError(t, err)

		database, err := url.Parse(cfg.Database.URL)
		require.NoError(t, err)
		postgres := c.Services[database.Hostname()].Environment
		password, _ := database.User.Password()
		require.Equal(t, []string{postgres["POSTGRES_USER"], postgres["POSTGRES_PASSWORD"], "/" + postgres["POSTGRES_DB"], "5432"},
			[]string{database.User.Username(), password, database.Path, database.Port()})

		queue, err := url.Parse(cfg.MessageQueue.URL)
		require.NoError(t, err)
		rabbitmq := c.Services[queue.Hostname()].Environment
		password, _ = queue.User.Password()
		require.Equal(t, []string{rabbitmq["RABBITMQ_DEFAULT_USER"], rabbitmq["RABBITMQ_DEFAULT_PASS"], "5672"},
			[]string{queue.User.Username(), password, queue.Port()})

		require.Equal(t, "temporal:7233", environment["TEMPORAL_ADDRESS"])
		require.Contains(t, strings.Join(c.Services["temporal-namespace"].Command, " "), "--namespace "+cfg.Temporal.Namespace)
		require.Contains(t, c.Services["worker"].Ports, "127.0.0.1:8080:"+cfg.Ops.Address[strings.LastIndex(cfg.Ops.Address, ":")+1:])
		require.Contains(t, c.Services["worker"].Ports, "127.0.0.1:8083:"+cfg.Webhooks.Address[strings.LastIndex(cfg.Webhooks.Address, ":")+1:])
		require.Contains(t, strings.Join(c.Services["worker"].Healthcheck.Test, " "), "127.0.0.1:8080/readyz")
		require.Greater(t, c.Services["worker"].GracePeriod, cfg.Worker.ShutdownTimeout)
	}
}

// Services start in an order that works: what is waited for exists and can come to be as it is wanted.
func TestComposeOrder(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for name, s := range c.Services {
		for other, wait := range s.DependsOn {
			target, exists := c.Services[other]
			require.True(t, exists, "%s waits for %s", name, other)
			switch wait.Condition {
			case "service_healthy":
				require.NotNil(t, target.Healthcheck, "%s waits until %s is healthy, which it cannot tell", name, other)
			case "service_completed_successfully":
				require.True(t, target.oneShot(), "%s waits until %s has ended", name, other)
				require.NotEmpty(t, target.Command, other)
			default:
				require.Fail(t, "unknown condition", "%s waits for %s: %s", name, other, wait.Condition)
			}
		}
		if check := s.Healthcheck; check != nil {
			require.Equal(t, "CMD", check.Test[0], name)
			require.Less(t, check.Timeout, time.Minute, name)
			require.Greater(t, check.Interval*time.Duration(check.Retries), time.Minute, "%s may take a minute to start", name)
		}
	}
	require.Subset(t, slices.Collect(maps.Keys(c.Services["worker"].DependsOn)), []string{"migrate", "rabbitmq", "temporal-namespace"})
	require.Contains(t, c.Services["migrate"].DependsOn, "postgres")
	require.Equal(t, []string{"starter", "migrate"}, c.Services["migrate"].Command)
}

// What is mounted is there: a file of the checkout, or a volume that is declared.
func TestComposeVolumes(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	used := map[string]bool{}
	for name, s := range c.Services {
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if strings.HasPrefix(source, ".") {
				require.FileExists(t, filepath.Join(root, source), fmt.Sprintf("%s mounts %s", name, volume))
				continue
			}
			require.Contains(t, c.Volumes, source, name)
			used[source] = true
		}
	}
	require.Len(t, used, len(c.Volumes), "every volume is used")
}
