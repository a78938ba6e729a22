package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
)

// World is what every library is tried against: the file that the harness wrote.
type World struct {
	Issuer        string       `json:"issuer"`
	TokenEndpoint string       `json:"token_endpoint"`
	Resource      string       `json:"resource"`
	Demo          SecretClient `json:"demo"`
	KeyClient     struct {
		ClientID string `json:"client_id"`
		Keys     map[string]struct {
			Kid string `json:"kid"`
			Pem string `json:"pem"`
		} `json:"keys"`
	} `json:"key_client"`
	Spiffe struct {
		TrustDomain string `json:"trust_domain"`
		ID          string `json:"id"`
		Bundle      string `json:"bundle"`
		SVID        string `json:"svid"`
	} `json:"spiffe"`
	Validation map[string]Samples `json:"validation"`
}

type SecretClient struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

type Samples struct {
	Issuer   string            `json:"issuer"`
	JwksURI  string            `json:"jwks_uri"`
	Audience string            `json:"audience"`
	Good     string            `json:"good"`
	Bad      map[string]string `json:"bad"`
}

// Outcome is one line on standard output.
type Outcome struct {
	Library string `json:"library"`
	Version string `json:"version"`
	Check   string `json:"check"`
	Setting string `json:"setting,omitempty"`
	Worked  bool   `json:"worked"`
	Seen    string `json:"seen"`
}

func attempt(module, check, setting string, run func() error) {
	outcome := Outcome{Library: module, Version: versionOf(module), Check: check, Setting: setting}
	if err := run(); err != nil {
		outcome.Seen = err.Error()
	} else {
		outcome.Worked = true
	}
	line, err := json.Marshal(outcome)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

func versionOf(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if strings.HasPrefix(dependency.Path, module) {
			return dependency.Version
		}
	}
	return "?"
}

// callTime fails unless GET /time answers 200.
func callTime(client *http.Client, world World) error {
	response, err := client.Get(world.Resource + "/time")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /time: %d %s", response.StatusCode, body)
	}
	return nil
}

// tryValidator fails unless the good token is taken and each bad one is refused.
func tryValidator(samples Samples, validate func(token string) error) error {
	if err := validate(samples.Good); err != nil {
		return err
	}
	var taken []string
	for fault, token := range samples.Bad {
		if err := validate(token); err != nil {
			fmt.Fprintln(os.Stderr, fault, err)
		} else {
			taken = append(taken, fault)
		}
	}
	if len(taken) > 0 {
		return fmt.Errorf("takes a token with a wrong: %s", strings.Join(taken, ", "))
	}
	return nil
}
