bin/temporal-dev: $(wildcard internal/devserver/*)
	cd internal/devserver && go build -ldflags='-s -w' -o ../../$@ .
