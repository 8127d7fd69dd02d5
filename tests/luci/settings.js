'use strict';

/* The settings: what the file says is shown, passwords are not, what is changed is written and nothing else. */

ROUTER.uci = {
	acs: {
		'.type': 'acs', url: 'https://acs.example/', username: 'me', password: 'acs-secret',
		periodic_inform_interval: '1800', allow_basic: 'never', retry_min_wait_interval: '7'
	},
	cpe: { '.type': 'cpe', interface: 'wan', port: '7547', username: 'knock', password: 'cpe-secret', log_level: '7' },
	cfg1: { '.type': 'inform_parameter', enable: '1', name: 'Device.IP.Interface.*.Status' }
};

function input(sid, option) {
	return document.querySelector(`#cbi-cwmp-${sid}-${option} input, #cbi-cwmp-${sid}-${option} select`);
}

function type(sid, option, value) {
	const node = input(sid, option);

	if (node.type === 'checkbox')
		node.checked = value;
	else
		node.value = value;

	node.dispatchEvent(new Event('change', { bubbles: true }));
}

story(async () => {
	await open('/www/luci-static/resources/view/cwmp-agent/settings.js');

	equal('the ACS', input('acs', 'url').value, 'https://acs.example/');
	equal('a choice', input('acs', 'allow_basic').value, 'never');
	equal('a default', input('acs', 'retry_interval_multiplier').placeholder, '2000');
	equal('an empty choice', input('acs', 'compression').value, '');
	equal('a level that is no choice', input('cpe', 'log_level').value, '7');
	equal('a flag that the file does not name', input('cpe', 'enable').checked, true);
	equal('its own kind of section', input('cfg1', 'name').value, 'Device.IP.Interface.*.Status');

	/* Passwords: fields for them, and no trace of those there are. */
	for (const sid of [ 'acs', 'cpe' ]) {
		equal('a password field', input(sid, 'password').type, 'password');
		equal('empty', input(sid, 'password').value, '');
	}
	const shown = () => document.getElementById('view').outerHTML;

	holds('no password is shown', !shown().includes('secret'));

	/* Saved as it is, nothing changes. */
	await click('save');
	equal('no change', log, []);

	/* What is typed is written, and nothing else. */
	type('acs', 'url', 'https://other.example/tr069');
	type('acs', 'password', 'new-one');
	type('acs', 'require_tls', true);
	type('acs', 'retry_min_wait_interval', '');
	type('acs', 'allow_basic', '');
	type('acs', 'compression', 'GZIP');
	type('cpe', 'port', '30005');
	await click('save');
	equal('changes', log.sort(), [
		'uci set acs.compression=GZIP', 'uci set acs.password=new-one', 'uci set acs.require_tls=1',
		'uci set acs.url=https://other.example/tr069', 'uci set cpe.port=30005',
		'uci unset acs.allow_basic', 'uci unset acs.retry_min_wait_interval'
	]);
	equal('the other password', ROUTER.uci.cpe.password, 'cpe-secret');
	equal('empty again', input('acs', 'password').value, '');
	holds('the new password is not shown', !shown().includes('new-one'));

	/* What is wrong is not written, nor anything beside it. */
	for (const [ sid, option, value ] of [
		[ 'acs', 'url', 'acs.example' ], [ 'acs', 'periodic_inform_interval', '0' ], [ 'acs', 'retry_min_wait_interval', '65536' ],
		[ 'acs', 'retry_interval_multiplier', '999' ], [ 'cpe', 'port', '70000' ], [ 'cpe', 'dscp', '64' ],
		[ 'cfg1', 'name', 'rm -rf /' ]
	]) {
		const before = input(sid, option).value;

		log.length = 0;
		type(sid, option, value);
		type('acs', 'username', 'nobody');
		await click('save');
		equal(`${option} refused`, [ log.length, log[0].startsWith(`refused ${sid}.${option}`) ], [ 1, true ]);
		type(sid, option, before);
		type('acs', 'username', 'me');
	}

	/* Switched off, connection requests keep what they need to be switched on again. */
	log.length = 0;
	type('cpe', 'http_connection_request', false);
	holds('hidden', document.getElementById('cbi-cwmp-cpe-port').classList.contains('hidden'));
	await click('save');
	equal('only the switch', log, [ 'uci set cpe.http_connection_request=0' ]);
	type('cpe', 'http_connection_request', true);
	holds('shown', !document.getElementById('cbi-cwmp-cpe-port').classList.contains('hidden'));
	log.length = 0;
	await click('save');
	equal('on again', log, [ 'uci unset cpe.http_connection_request' ]);

	/* Sections that are not there yet. */
	log.length = 0;
	await click('add-heartbeat');
	type('heartbeat', 'enable', true);
	type('heartbeat', 'interval', '29');
	await click('save');
	equal('too often', log.pop().startsWith('refused heartbeat.interval'), true);
	type('heartbeat', 'interval', '3600');
	await click('save');
	await click('add-device');
	for (const [ value, good ] of [ [ 'abc', false ], [ '00GG00', false ], [ '001122', true ] ]) {
		type('device', 'oui', value);
		await click('save');
		equal(value, !(log[log.length - 1].startsWith('refused')), good);
	}
	equal('sections', log.filter((line) => !line.startsWith('refused')), [
		'uci add heartbeat heartbeat', 'uci set heartbeat.enable=1', 'uci set heartbeat.interval=3600',
		'uci add device device', 'uci set device.oui=001122'
	]);
	await click('remove-cfg1');
	equal('one less', uci.sections('cwmp', 'inform_parameter'), []);

	/* A login that may only look. */
	ROUTER.scopes = [ 'read' ];
	log.length = 0;
	type('acs', 'username', 'other');
	await click('save');
	holds('not allowed', log.some((line) => line === 'refused Permission denied'));
});
