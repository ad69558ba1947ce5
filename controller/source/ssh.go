package source

import "net/url"

// keyscan tells how to make a file of known hosts.
func keyscan(u *url.URL) string {
	scan := "ssh-keyscan "
	if port := u.Port(); port != "" {
		scan += "-p " + port + " "
	}
	return "put what `" + scan + u.Hostname() + "` prints into known_hosts of the secret, after comparing its fingerprint with the one that the server's owner publishes"
}
