'use strict';
'require form';
'require uci';
'require view';

/*
 * /etc/config/cwmp: what operators set, and the ACS. The daemon reads the file again when it changes; nothing is
 * restarted. An empty field is the default that is shown in it.
 */

const OID = 'Device\\.[A-Za-z0-9_.*-]+';

/* A field with its default as placeholder. */
function field(section, name, title, datatype, placeholder, description) {
	const option = section.option(form.Value, name, title, description);

	option.datatype = datatype;
	option.placeholder = placeholder;
	/* A field that is hidden for now keeps what it says. */
	option.retain = true;

	return option;
}

/* `on`: what holds where the file says nothing. */
function flag(section, name, title, on, description) {
	const option = section.option(form.Flag, name, title, description);

	option.default = on ? '1' : '0';

	return option;
}

/*
 * A password is written, never shown: the field is empty, what is typed into it replaces the old one, and an empty one
 * leaves it alone.
 */
function password(section, name, title, description) {
	const option = section.option(form.Value, name, title, description);

	option.password = true;
	option.placeholder = _('unchanged');
	option.cfgvalue = () => null;
	option.write = (section_id, value) => uci.set('cwmp', section_id, name, value);
	option.remove = () => {};
	option.retain = true;

	return option;
}

/* The first one is the default, which the file need not say. */
function choice(section, name, title, values, description) {
	const option = section.option(form.ListValue, name, title, description);

	values.forEach(([ value, text ]) => option.value(value, text));
	/* What the file says otherwise (`log_level 7`) can be chosen, too: it stays. */
	option.load = function(section_id) {
		const now = uci.get('cwmp', section_id, name);

		if (now && !values.some(([ value ]) => value === now))
			this.value(now);

		return now;
	};

	return option;
}

/* Several values; none is the default. */
function list(section, name, title, datatype, description) {
	const option = section.option(form.DynamicList, name, title, description);

	option.datatype = datatype;

	return option;
}

function acs(map) {
	const s = map.section(form.NamedSection, 'acs', 'acs', _('ACS'),
		_('Where the ACS is, and what is said to it.'));

	field(s, 'url', _('URL'), 'string', _('what DHCP says'), _('https or http')).validate = (section_id, value) =>
		!value || /^https?:\/\/[^\s\/]+/i.test(value) ? true : _('Write it as https://acs.example.net/');
	field(s, 'username', _('Username'), 'string', 'OUI-ProductClass-SerialNumber');
	password(s, 'password', _('Password'));
	flag(s, 'dhcp_discovery', _('ACS by DHCP'), true, _('What DHCP says holds where nothing is set here.'));

	flag(s, 'periodic_inform_enable', _('Periodic sessions'), true);
	field(s, 'periodic_inform_interval', _('Interval'), 'range(1,4294967295)', '86400', _('seconds'))
		.depends('periodic_inform_enable', '1');
	field(s, 'periodic_inform_time', _('Counted from'), 'string', '0001-01-01T00:00:00Z', _('a date and time, UTC'))
		.depends('periodic_inform_enable', '1');
	field(s, 'notify_throttle', _('Wait between notifications'), 'uinteger', '0',
		_('seconds from the end of a session to one that only tells of changed values'));
	field(s, 'schedule_reboot', _('Reboot at'), 'string', '0001-01-01T00:00:00Z', _('a date and time, UTC'));
	field(s, 'delay_reboot', _('Reboot after'), 'min(-1)', '-1', _('seconds from when it is set; -1: none'));
	field(s, 'retry_min_wait_interval', _('Wait after a failed session'), 'range(1,65535)', '5', _('seconds'));
	field(s, 'retry_interval_multiplier', _('Its growth'), 'range(1000,65535)', '2000', _('thousandths'));

	flag(s, 'require_tls', _('Only with TLS'), false);
	field(s, 'ca_file', _('Trusted roots, file'), 'string', _('those of the system'), _('PEM'));
	field(s, 'ca_path', _('Trusted roots, folder'), 'string', _('those of the system'), _('PEM files'));
	field(s, 'client_cert', _('Client certificate'), 'string', _('none'), _('PEM, with its chain'));
	field(s, 'client_key', _('Its key'), 'string', _('none'), _('PEM'));
	choice(s, 'allow_basic', _('Basic authentication'),
		[ [ '', _('over TLS only') ], [ 'always', _('always') ], [ 'never', _('never') ] ]);
	choice(s, 'cwmp_version', _('Highest version offered'),
		[ [ '', '1.4' ], [ '1.3' ], [ '1.2' ], [ '1.1' ], [ '1.0' ] ]);
	choice(s, 'compression', _('Compression'), [ [ '', _('none') ], [ 'GZIP' ], [ 'Deflate' ] ],
		_('of what is sent'));
}

function cpe(map) {
	const s = map.section(form.NamedSection, 'cpe', 'cpe', _('Router'),
		_('This side: whether and where it listens for connection requests.'));

	flag(s, 'enable', _('Enabled'), true, _('Sessions and connection requests.'));
	field(s, 'interface', _('Interface'), 'string', _('any'), _('a network such as wan, or a device such as eth0.2'));
	flag(s, 'http_connection_request', _('Connection requests'), true);
	field(s, 'port', _('Port'), 'port', '7547', _('0: any free one')).depends('http_connection_request', '1');
	field(s, 'path', _('Path'), 'string', _('a random one')).depends('http_connection_request', '1');
	field(s, 'username', _('Username'), 'string', '', _('Without username and password everybody is refused.'))
		.depends('http_connection_request', '1');
	password(s, 'password', _('Password')).depends('http_connection_request', '1');
	field(s, 'provisioning_code', _('Provisioning code'), 'maxlength(64)', '');
	field(s, 'dscp', _('DSCP'), 'range(0,63)', '', _('of packets to the ACS'));
	flag(s, 'autonomous_transfer_complete', _('Tell of own transfers'), false,
		_('The ACS hears of files that it did not ask for.'));
	choice(s, 'autonomous_transfer_type', _('Of which direction'), [ [ '', _('both') ], [ 'Upload' ], [ 'Download' ] ]);
	choice(s, 'autonomous_transfer_result', _('Of which end'), [ [ '', _('both') ], [ 'Success' ], [ 'Failure' ] ]);
	list(s, 'autonomous_transfer_file_types', _('Of which file types'), 'string', _('none: all'));
	flag(s, 'autonomous_du_complete', _('Tell of own software changes'), false,
		_('The ACS hears of software modules that it did not change.'));
	list(s, 'autonomous_du_operations', _('Of which changes'), 'string', _('Install, Update, Uninstall; none: all'));
	choice(s, 'autonomous_du_result', _('Of which end'), [ [ '', _('both') ], [ 'Success' ], [ 'Failure' ] ]);
	list(s, 'autonomous_du_fault_codes', _('Of which faults'), 'range(9000,9899)', _('fault codes; none: all'));
	choice(s, 'log_level', _('Log'), [ [ '', _('as started') ], [ 'error' ], [ 'warning' ], [ 'info' ], [ 'debug' ] ]);
}

function device(map) {
	const s = map.section(form.NamedSection, 'device', 'device', _('Identity'),
		_('What is set here overrides what is derived from the board. The ACS knows the router by OUI, product class and serial number: another one is another router to it.'));

	s.addremove = true;
	field(s, 'manufacturer', _('Manufacturer'), 'maxlength(64)', '');
	field(s, 'oui', _('OUI'), 'and(hexstring,length(6))', '', _('six hexadecimal digits'));
	field(s, 'product_class', _('Product class'), 'maxlength(64)', '');
	field(s, 'serial_number', _('Serial number'), 'maxlength(64)', '');
	field(s, 'model_name', _('Model name'), 'maxlength(64)', '');
	field(s, 'hardware_version', _('Hardware version'), 'maxlength(64)', '');
	field(s, 'software_version', _('Software version'), 'maxlength(64)', '');
}

function heartbeat(map) {
	const s = map.section(form.NamedSection, 'heartbeat', 'heartbeat', _('Heartbeat'),
		_('A session that only tells that the router is there.'));

	s.addremove = true;
	flag(s, 'enable', _('Enabled'), false);
	field(s, 'interval', _('Interval'), 'range(30,4294967295)', '86400', _('seconds'));
	field(s, 'time', _('Counted from'), 'string', '0001-01-01T00:00:00Z', _('a date and time, UTC'));
}

function standby(map) {
	const s = map.section(form.NamedSection, 'standby', 'standby', _('Standby'),
		_('After which sleep the ACS is told of the waking (13 WAKEUP); -1: not for that.'));

	s.addremove = true;
	field(s, 'cr_unawareness_max_duration', _('Longer than'), 'min(-1)', '-1', _('seconds'));
	field(s, 'max_missed_periodic', _('More periodic sessions missed than'), 'min(-1)', '-1');
	flag(s, 'notify_missed_scheduled', _('A scheduled session missed'), false);
}

function inform_parameter(map) {
	const s = map.section(form.TypedSection, 'inform_parameter', _('Inform'),
		_('Parameters that are also told at the beginning of sessions.'));

	s.addremove = true;
	s.anonymous = true;
	flag(s, 'enable', _('Enabled'), false);
	field(s, 'name', _('Parameter'), 'string', '', _('* stands for every instance')).validate = (section_id, value) =>
		!value || new RegExp('^' + OID + '$').test(value) ? true : _('Write it as Device.IP.Interface.*.Status');
	field(s, 'events', _('Events'), 'string', _('all but 4 VALUE CHANGE'), _('codes with commas between them: 1 BOOT,2 PERIODIC'));
}

return view.extend({
	load: function() {
		return uci.load('cwmp');
	},

	render: function() {
		const map = new form.Map('cwmp', _('Remote management (TR-069)'),
			_('The daemon uses what is saved at once, without a restart.'));

		map.tabbed = true;
		[ acs, cpe, device, heartbeat, standby, inform_parameter ].forEach((add) => add(map));

		return map.render();
	}
});
