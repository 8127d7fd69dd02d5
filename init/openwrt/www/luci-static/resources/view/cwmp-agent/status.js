'use strict';
'require dom';
'require fs';
'require poll';
'require ui';
'require view';

/*
 * What cwmp-agent does: the answer of `cwmp-agent status --json`, read again every few seconds, and a button for a
 * session now. Children of E() stand in arrays without exception: there a text is a text, whatever the ACS has put in it.
 */

const PROGRAM = '/usr/sbin/cwmp-agent';
const SECONDS = 5;

function when(seconds) {
	return new Date(seconds * 1000).toLocaleString();
}

function orNone(text) {
	return text ? text : _('none');
}

/* A line of a two-column table. */
function line(id, title, children) {
	return E('tr', { 'class': 'tr', 'id': 'cwmp-' + id }, [
		E('td', { 'class': 'td left', 'width': '33%' }, [ title ]),
		E('td', { 'class': 'td left' }, Array.isArray(children) ? children : [ children ])
	]);
}

function list(items) {
	return items.length ? [ E('ul', { 'style': 'margin: 0' }, items.map((item) => E('li', {}, [ item ]))) ] : [ _('none') ];
}

function head(columns) {
	return E('tr', { 'class': 'tr table-titles' }, columns.map((column) => E('th', { 'class': 'th' }, [ column ])));
}

function row(cells) {
	return E('tr', { 'class': 'tr' }, cells.map((cell) => E('td', { 'class': 'td left' }, [ cell ])));
}

function section(id, title, children) {
	return E('div', { 'class': 'cbi-section', 'id': 'cwmp-' + id }, [ E('h3', {}, [ title ]) ].concat(children));
}

function event([ code, key ]) {
	return key ? code + ' (' + key + ')' : code;
}

/* A transfer is told as a text or with its parts. */
function transfer(t) {
	if (typeof t === 'string')
		return t;

	const parts = [ [ t.kind, t.file_type ].filter(Boolean).join(' '), t.url, t.stage ];

	if (t.stage === 'waiting' && t.due)
		parts.push(_('not before') + ' ' + when(t.due));

	if (t.total)
		parts.push(Math.floor(t.done * 100 / t.total) + ' %');
	else if (t.done)
		parts.push(Math.ceil(t.done / 1024) + ' KiB');

	if (t.confirmation)
		parts.push(_('to be confirmed') + ': ' + t.confirmation);

	if (t.fault)
		parts.push(t.fault.join(' '));

	return parts.filter(Boolean).join(', ');
}

function acs(status) {
	if (!status.acs_url)
		return _('none: neither the settings nor DHCP name one');

	return status.acs_url_by_dhcp ? status.acs_url + ' (' + _('by DHCP') + ')' : status.acs_url;
}

function next(status) {
	if (status.next_session)
		return when(status.next_session.at) + ', ' + status.next_session.reason;

	return _('none due');
}

function retry(status) {
	const count = status.retry ? status.retry.count : 0;

	if (!count)
		return _('none');

	return status.retry.at ? count + ', ' + _('next at') + ' ' + when(status.retry.at) : String(count);
}

function troubles(status) {
	const found = (status.sources_in_trouble || []).map(([ source, what ]) => source + ': ' + what);

	if (status.configuration_trouble)
		found.unshift('/etc/config/cwmp: ' + status.configuration_trouble + '; ' + _('the last good copy serves'));

	return found;
}

return view.extend({
	load: function() {
		return this.ask();
	},

	/* { status } or { trouble } */
	ask: function() {
		return fs.exec(PROGRAM, [ 'status', '--json' ]).then((result) => {
			if (result.code !== 0)
				return { trouble: (result.stderr || '').trim() || _('exit status') + ' ' + result.code };

			return { status: JSON.parse(result.stdout) };
		}).catch((e) => ({ trouble: e.message }));
	},

	inform: function() {
		return fs.exec(PROGRAM, [ 'inform' ]).then((result) => {
			if (result.code !== 0)
				throw new Error((result.stderr || '').trim() || _('exit status') + ' ' + result.code);

			return this.ask().then((told) => this.show(told));
		}).catch((e) => {
			ui.addNotification(null, E('p', {}, [ _('No session') + ': ' + e.message ]), 'danger');
		});
	},

	show: function(told) {
		dom.content(this.node, told.status ? this.parts(told.status) : [
			E('div', { 'class': 'alert-message warning', 'id': 'cwmp-trouble' }, [
				_('cwmp-agent does not say how it is') + ': ' + told.trouble
			])
		]);
	},

	parts: function(status) {
		const wrong = troubles(status);
		const transfers = status.transfers || [];
		const watch = status.watch || {};
		const refused = status.refused_knocks || [];
		/* The youngest first. */
		const sessions = status.sessions || [];

		return [
			section('state', _('State'), [
				E('table', { 'class': 'table' }, [
					line('daemon', _('Daemon'), status.daemon ? _('running') : _('not running')),
					line('version', _('Version'), status.version),
					line('enabled', _('Enabled'), status.enabled ? _('yes') : _('no')),
					line('acs', _('ACS'), acs(status)),
					line('url', _('Connection request URL'), orNone(status.connection_request_url)),
					line('running', _('Session'),
						status.running_since ? _('running since') + ' ' + when(status.running_since) : _('none running')),
					line('next', _('Next session'), next(status)),
					line('retry', _('Retries'), retry(status)),
					line('events', _('Pending events'), list((status.pending_events || []).map(event))),
					line('watch', _('Changed values to tell'), list(watch.changed || [])),
					line('knocks', _('Connection requests'), list([ _('accepted') + ': ' + (status.accepted_knocks || 0) ].concat(
						refused.map(([ reason, count ]) => _('refused') + ' (' + reason + '): ' + count))))
				]),
				E('button', {
					'class': 'cbi-button cbi-button-action',
					'id': 'cwmp-inform',
					'disabled': status.daemon && status.enabled && status.acs_url ? null : true,
					'click': ui.createHandlerFn(this, 'inform')
				}, [ _('Inform now') ])
			]),
			section('sessions', _('Last sessions'), [
				E('table', { 'class': 'table' }, [ head([ _('Started'), _('Duration'), _('Events'), _('Result') ]) ].concat(
					sessions.length ? sessions.map((s) => row([
						when(s.started), Math.max(s.ended - s.started, 0) + ' s', orNone(s.events.join(', ')),
						s.failure ? _('failed') + ': ' + s.failure : _('completed')
					])) : [ E('tr', { 'class': 'tr placeholder' }, [ E('td', { 'class': 'td' }, [ _('No session since the last boot') ]) ]) ]))
			]),
			section('transfers', _('Transfers'), list(transfers.map(transfer))),
			section('troubles', _('Troubles'), list(wrong))
		];
	},

	render: function(told) {
		this.node = E('div', { 'id': 'cwmp-status' });
		this.show(told);
		poll.add(() => this.ask().then((again) => this.show(again)), SECONDS);

		return E('div', {}, [ E('h2', {}, [ _('Remote management (TR-069)') ]), this.node ]);
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
