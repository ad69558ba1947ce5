(import 'web.libsonnet') + {
  config+:: { debug: true, hosts: ['staging.web.example.com'] },
  session: std.parseYaml(importstr 'sealed.yaml'),
}
