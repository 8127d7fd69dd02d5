'use strict';

/* The status page: what is shown of a running agent, a session by its button, what passes while it is open. */

const STATUS = '/usr/sbin/cwmp-agent status --json';
const HOSTILE = '<img src="x" onerror="window.hurt = true">';
const at = 1790000000;
const first = { started: at, ended: at + 3, events: [ '1 BOOT', '4 VALUE CHANGE' ], failure: null };
const second = { started: at + 100, ended: at + 130, events: [], failure: 'timed out ' + HOSTILE };

let told = {
	version: '0.1.0', daemon: true, enabled: true,
	acs_url: 'https://acs.example/', acs_url_by_dhcp: true,
	connection_request_url: 'http://192.0.2.7:7547/abc',
	running_since: null,
	last_session: first,
	sessions: [ first ],
	next_session: { at: at + 1800, reason: '2 PERIODIC' },
	pending_events: [ [ 'M Reboot', HOSTILE ], [ '4 VALUE CHANGE', '' ] ],
	transfers: [ {
		id: 1, kind: 'download', local: false, command_key: 'k', file_type: '1 Firmware Upgrade Image',
		url: 'http://files.example/' + HOSTILE, stage: 'fetching', due: null, confirmation: null,
		done: 512, total: 2048, fault: null
	}, 'told as a text' ],
	retry: { count: 2, at: at + 60 },
	watch: { parameters: 7, active: 2, pending: 1, changed: [ 'Device.DeviceInfo.ProvisioningCode' ] },
	sources_in_trouble: [ [ HOSTILE, 'no such file' ] ],
	refused_knocks: [ [ 'wrong credentials', 4 ] ], accepted_knocks: 9,
	configuration_trouble: 'line 3: an unfinished quote'
};
let inform = { code: 0, stdout: '', stderr: '' };

ROUTER.exec = (command) => command === STATUS
	? (told ? { code: 0, stdout: JSON.stringify(told), stderr: '' } : { code: 1, stdout: '', stderr: 'no answer\n' }) : inform;

function rows() {
	return [ ...document.querySelectorAll('#cwmp-sessions tr.tr:not(.table-titles):not(.placeholder)') ];
}

story(async () => {
	await open('/www/luci-static/resources/view/cwmp-agent/status.js');

	holds('the ACS', text('cwmp-acs').includes('https://acs.example/ (by DHCP)'));
	holds('the daemon', text('cwmp-daemon').includes('running'));
	holds('its address', text('cwmp-url').includes('http://192.0.2.7:7547/abc'));
	holds('no session runs', text('cwmp-running').includes('none running'));
	holds('the next session', text('cwmp-next').includes('2 PERIODIC') &&
		text('cwmp-next').includes(new Date((at + 1800) * 1000).toLocaleString()));
	holds('retries', text('cwmp-retry').includes('2, next at'));
	holds('events', text('cwmp-events').includes(`M Reboot (${HOSTILE})`) && text('cwmp-events').includes('4 VALUE CHANGE'));
	holds('changed values', text('cwmp-watch').includes('Device.DeviceInfo.ProvisioningCode'));
	holds('connection requests', text('cwmp-knocks').includes('accepted: 9') &&
		text('cwmp-knocks').includes('refused (wrong credentials): 4'));
	holds('a transfer', text('cwmp-transfers').includes('download 1 Firmware Upgrade Image, http://files.example/') &&
		text('cwmp-transfers').includes('fetching, 25 %') && text('cwmp-transfers').includes('told as a text'));
	holds('troubles', text('cwmp-troubles').includes('line 3: an unfinished quote; the last good copy serves') &&
		text('cwmp-troubles').includes(`${HOSTILE}: no such file`));
	equal('sessions', rows().length, 1);
	holds('completed', rows()[0].textContent.includes('1 BOOT, 4 VALUE CHANGE') && rows()[0].textContent.includes('completed') &&
		rows()[0].textContent.includes('3 s'));

	/* What an ACS or a server says is a text. */
	equal('images', document.images.length, 0);
	holds('no script ran', window.hurt === undefined);

	/* A session now. */
	log.length = 0;
	told = { ...told, running_since: at + 100, transfers: [], sources_in_trouble: [], configuration_trouble: null, pending_events: [] };
	await click('cwmp-inform');
	equal('asked', log, [ 'exec /usr/sbin/cwmp-agent inform', 'exec ' + STATUS ]);
	holds('it runs', text('cwmp-running').includes('running since'));
	holds('nothing wrong', text('cwmp-troubles').includes('none') && text('cwmp-transfers').includes('none'));

	/* It ends, and stands before the one before. */
	equal('every five seconds', poll.tasks.map((t) => t.seconds), [ 5 ]);
	told = { ...told, running_since: null, last_session: second, sessions: [ second, first ] };
	await poll.tick();
	await poll.tick();
	equal('sessions', rows().length, 2);
	holds('the youngest first', rows()[0].textContent.includes('failed: timed out') && rows()[1].textContent.includes('completed'));

	/* Refused. */
	inform = { code: 1, stdout: '', stderr: 'no daemon is running ' + HOSTILE + '\n' };
	log.length = 0;
	await click('cwmp-inform');
	holds('the reason is told', log[1] === 'notification No session: no daemon is running ' + HOSTILE);
	equal('images', document.images.length, 0);

	/* Without the right to, the button does nothing but say so. */
	ROUTER.scopes = [ 'read' ];
	log.length = 0;
	await click('cwmp-inform');
	holds('not allowed', log.includes('notification No session: Permission denied'));
	ROUTER.scopes = [ 'read', 'write' ];

	/* Where there is nobody to hold a session, or nobody to hold it with, there is no button for it. */
	const button = () => document.getElementById('cwmp-inform').disabled;

	equal('a button', button(), false);
	for (const without of [ { daemon: false }, { enabled: false }, { acs_url: '' } ]) {
		const before = told;

		told = { ...told, ...without };
		await poll.tick();
		equal('a button with ' + JSON.stringify(without), button(), true);
		told = before;
	}

	/* Nothing has happened yet. */
	const before = told;

	told = { ...told, last_session: null, sessions: [], next_session: null, retry: { count: 0, at: null } };
	await poll.tick();
	holds('none due', text('cwmp-next').includes('none due'));
	holds('none yet', rows().length === 0 && text('cwmp-sessions').includes('No session since the last boot'));

	/* No answer, or one that is none. */
	told = null;
	await poll.tick();
	holds('the trouble', text('cwmp-trouble').includes('no answer'));
	ROUTER.exec = () => ({ code: 0, stdout: 'no JSON', stderr: '' });
	await poll.tick();
	holds('the trouble', text('cwmp-trouble').includes('JSON'));

	/* And back again, for the picture. */
	ROUTER.exec = (command) => ({ code: 0, stdout: JSON.stringify(before), stderr: '' });
	await poll.tick();
	equal('sessions', rows().length, 2);
	document.querySelectorAll('.alert-message').forEach((node) => node.remove());
});
