(import 'web.libsonnet') + {
  config+:: { replicas: 3, hosts: ['web.example.com', 'www.web.example.com'] },
  session: std.parseYaml(importstr 'sealed.yaml'),
}
