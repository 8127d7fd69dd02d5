#!/bin/sh
# Run by the feeds' CI on a root file system of the target, after the package is installed: test.sh NAME VERSION.

set -e

case "$1" in
cwmp-agent)
	cwmp-agent --version | grep -F "$2"
	# What the package brings is good, and is what this program reads.
	cwmp-agent check
	cwmp-agent names Device.ManagementServer. | grep -qx 'Device.ManagementServer.URL rw'
	cwmp-agent get Device.DeviceInfo.SoftwareVersion
	cwmp-agent recover
	# It holds passwords.
	# shellcheck disable=SC2012 # the router has no stat
	[ "$(ls -l /etc/config/cwmp | cut -c1-10)" = '-rw-------' ]
	# The newcomer's command with its sample router is no part of a router.
	if cwmp-agent try --help >/dev/null 2>&1; then
		echo "try is in the package"
		exit 1
	fi
	;;
luci-app-cwmp-agent)
	[ -s /www/luci-static/resources/view/cwmp-agent/status.js ]
	[ -s /usr/share/rpcd/acl.d/luci-app-cwmp-agent.json ]
	;;
esac
