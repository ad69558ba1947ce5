package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"

	"fuin.dev/check"
)

// SARIF 2.1.0, as OASIS defines it; what of it code hosts read.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Columns string        `json:"columnKind"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string    `json:"id"`
		Summary sarifText `json:"shortDescription"`
		Help    sarifText `json:"help"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		Rule         string            `json:"ruleId"`
		Index        int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region sarifRegion `json:"region"`
		} `json:"physicalLocation"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn,omitempty"`
	}
)

const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

func printSARIF(out *bytes.Buffer, findings []check.Finding) error {
	driver := sarifDriver{Name: "fuin", Version: readVersion().Version}
	index := map[string]int{}
	for i, r := range check.Rules() {
		index[r.Name] = i
		driver.Rules = append(driver.Rules, sarifRule{r.Name, sarifText{r.Summary}, sarifText{firstOf(r.Hint, r.Summary)}})
	}
	run := sarifRun{Tool: sarifTool{driver}, Columns: "unicodeCodePoints", Results: []sarifResult{}}
	for _, f := range findings {
		run.Results = append(run.Results, resultOf(f, index[f.Rule]))
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{sarifSchema, "2.1.0", []sarifRun{run}})
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func resultOf(f check.Finding, index int) sarifResult {
	var at sarifLocation
	at.Physical.Artifact.URI = (&url.URL{Path: f.File}).EscapedPath()
	at.Physical.Region = sarifRegion{max(f.Line, 1), f.Column}
	// Made of what a baseline knows of a finding, so that it stays as lines move.
	mark := sha256.Sum256([]byte(strings.Join([]string{f.File, f.Object, f.Key, f.Rule}, "\x00")))
	return sarifResult{
		Rule: f.Rule, Index: index, Level: levelOf(f), Message: sarifText{sentence(f)}, Locations: []sarifLocation{at},
		Fingerprints: map[string]string{"fuin/v1": hex.EncodeToString(mark[:16])},
	}
}

func levelOf(f check.Finding) string {
	if f.Severity == check.Advice {
		return "warning"
	}
	return "error"
}

// sentence is all that a finding says, on one line.
func sentence(f check.Finding) string {
	text := says(f)
	if f.Hint != "" {
		text += "; " + f.Hint
	}
	return printable(text)
}

// JUnit, as CI servers read it: a case for each finding.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Failure *junitFailure `xml:"failure"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func printJUnit(out *bytes.Buffer, findings []check.Finding) error {
	suite := junitSuite{Name: "fuin check"}
	for _, f := range findings {
		c := junitCase{Name: printable(fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Key)), Class: f.Rule, File: printable(f.File), Line: f.Line}
		if f.Severity == check.Advice {
			c.Output = sentence(f)
		} else {
			suite.Failures++
			c.Failure = &junitFailure{f.Rule, printable(says(f)), sentence(f)}
		}
		suite.Cases = append(suite.Cases, c)
	}
	if len(findings) == 0 {
		suite.Cases = []junitCase{{Name: "no finding", Class: "fuin check"}}
	}
	suite.Tests = len(suite.Cases)
	out.WriteString(xml.Header)
	enc := xml.NewEncoder(out)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Suite: suite}); err != nil {
		return err
	}
	out.WriteByte('\n')
	return nil
}

// printAnnotations writes the commands by which a GitHub workflow marks lines.
func printAnnotations(out *bytes.Buffer, findings []check.Finding) {
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	for _, f := range findings {
		fmt.Fprintf(out, "::%s file=%s,line=%d,col=%d,title=fuin %s::%s\n",
			levelOf(f), property.Replace(f.File), f.Line, max(f.Column, 1), property.Replace(f.Rule), message.Replace(sentence(f)))
	}
}
