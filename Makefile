bin/temporal-dev: $(wildcard internal/devserver/*)
	cd internal/devserver && go build -trimpath -ldflags='-s -w' -o ../../$@ .
