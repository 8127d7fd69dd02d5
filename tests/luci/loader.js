'use strict';

/*
 * Stands in for LuCI in a browser: what the views of cwmp-agent use of it, no more. FILES holds the views and the access
 * rules by their paths on the router, ROUTER what the router says. Where LuCI has a trap, this has the same one: E() takes
 * a bare text for HTML. What the access rules do not grant is refused.
 */

const RULES = JSON.parse(FILES['/usr/share/rpcd/acl.d/luci-app-cwmp-agent.json'])['luci-app-cwmp-agent'];
/* What was done: `exec …`, `uci set …`, `notification …`. */
const log = [];

const _ = (text) => text;

/* Whether a scope that this login has grants an action. */
function granted(grants) {
	return ROUTER.scopes.some((scope) => grants(RULES[scope] || {}));
}

class PermissionError extends Error {}

const dom = {
	elem: (e) => e != null && typeof e === 'object' && 'nodeType' in e,

	append(node, children) {
		if (Array.isArray(children))
			for (const child of children)
				node.appendChild(dom.elem(child) ? child : document.createTextNode('' + child));
		else if (dom.elem(children))
			node.appendChild(children);
		else if (children !== null && children !== undefined)
			node.innerHTML = '' + children;

		return node.lastChild;
	},

	content(node, children) {
		node.replaceChildren();

		return dom.append(node, children);
	}
};

function E(tag, attributes, children) {
	const node = document.createElement(tag);

	for (const [ name, value ] of Object.entries(attributes || {}))
		if (typeof value === 'function')
			node.addEventListener(name, value);
		else if (value !== null && value !== undefined)
			node.setAttribute(name, value);

	dom.append(node, children);

	return node;
}

const fs = {
	exec(program, args) {
		const command = [ program ].concat(args || []).join(' ');
		const allowed = granted((rules) => rules.ubus && rules.ubus.file && rules.ubus.file.includes('exec')) &&
			granted((rules) => rules.file && rules.file[command] && rules.file[command].includes('exec'));

		log.push('exec ' + command);

		if (!allowed)
			return Promise.reject(new PermissionError('Permission denied'));

		return Promise.resolve(ROUTER.exec(command));
	}
};

const poll = {
	tasks: [],

	add(task, seconds) {
		this.tasks.push({ task, seconds });
	},

	/* What passing time would do. */
	tick() {
		return Promise.all(this.tasks.map(({ task }) => task()));
	}
};

const ui = {
	createHandlerFn(context, handler, ...args) {
		const call = typeof handler === 'string' ? context[handler] : handler;

		return (event) => {
			const button = event.currentTarget;

			button.disabled = true;

			return Promise.resolve(call.apply(context, args.concat(event))).finally(() => {
				button.disabled = false;
			});
		};
	},

	addNotification(title, children, ...classes) {
		const node = E('div', { 'class': [ 'alert-message' ].concat(classes).join(' ') }, [ children ]);

		log.push('notification ' + node.textContent);
		document.body.prepend(node);
	}
};

const uci = {
	load(config) {
		if (!granted((rules) => rules.uci && rules.uci.includes(config)))
			return Promise.reject(new PermissionError('Permission denied'));

		return Promise.resolve();
	},

	get(config, sid, option) {
		const section = ROUTER.uci[sid];

		return section ? (option ? section[option] : section) : null;
	},

	sections: (config, type) => Object.keys(ROUTER.uci).filter((sid) => ROUTER.uci[sid]['.type'] === type),

	set(config, sid, option, value) {
		if (ROUTER.uci[sid][option] !== value)
			log.push(`uci set ${sid}.${option}=${value}`);

		ROUTER.uci[sid][option] = value;
	},

	unset(config, sid, option) {
		if (ROUTER.uci[sid][option] !== undefined)
			log.push(`uci unset ${sid}.${option}`);

		delete ROUTER.uci[sid][option];
	},

	add(config, type, name) {
		const sid = name || 'new' + Object.keys(ROUTER.uci).length;

		log.push(`uci add ${type} ${name || ''}`.trim());
		ROUTER.uci[sid] = { '.type': type };

		return sid;
	},

	remove(config, sid) {
		log.push(`uci remove ${sid}`);
		delete ROUTER.uci[sid];
	},

	save() {
		if (!RULES.write.uci.includes('cwmp') || !ROUTER.scopes.includes('write'))
			return Promise.reject(new PermissionError('Permission denied'));

		return Promise.resolve();
	}
};

/* Whether a text is of a datatype; one that LuCI does not know is an error there, too. */
function valid(datatype, text) {
	const [ , name, inside ] = /^([a-z]+)(?:\((.*)\))?$/.exec(datatype);
	const parts = inside === undefined ? [] : inside.split(/,(?![^()]*\))/);
	const number = /^-?\d+(\.\d+)?$/.test(text) ? +text : NaN;

	switch (name) {
	case 'string': return true;
	case 'uinteger': return /^\d+$/.test(text);
	case 'port': return /^\d+$/.test(text) && number <= 65535;
	case 'range': return number >= +parts[0] && number <= +parts[1];
	case 'min': return number >= +parts[0];
	case 'length': return new Blob([ text ]).size === +parts[0];
	case 'maxlength': return new Blob([ text ]).size <= +parts[0];
	case 'hexstring': return /^([a-f0-9][a-f0-9]|[A-F0-9][A-F0-9])+$/.test(text);
	case 'and': return parts.every((part) => valid(part, text));
	default: throw new SyntaxError(`Unhandled token "${name}"`);
	}
}

class Value {
	constructor(map, section, option, title, description) {
		Object.assign(this, { map, section, option, title, description });
		this.rmempty = true;
		this.dependencies = [];
		this.values = {};
	}

	depends(option, value) {
		this.dependencies.push([ option, value ]);
	}

	load(sid) { return uci.get(this.map.config, sid, this.option); }

	cfgvalue(sid, set) {
		if (arguments.length === 2)
			this.values[sid] = set;

		return this.values[sid];
	}

	validate() { return true; }
	write(sid, value) { return uci.set(this.map.config, sid, this.option, value); }
	remove(sid) { return uci.unset(this.map.config, sid, this.option); }
	node(sid) { return document.getElementById(`cbi-${this.map.config}-${sid}-${this.option}`); }
	input(sid) { return this.node(sid).querySelector('input, select'); }
	formvalue(sid) { return this.input(sid).value; }

	isActive(sid) {
		return this.dependencies.length === 0 || this.dependencies.some(([ option, value ]) =>
			this.section.options.find((o) => o.option === option).formvalue(sid) === value);
	}

	widget(value) {
		return E('input', {
			'class': 'cbi-input-text', 'type': this.password ? 'password' : 'text',
			'placeholder': this.placeholder, 'value': value
		});
	}

	render(sid) {
		const value = this.cfgvalue(sid);

		return E('div', { 'class': 'cbi-value', 'id': `cbi-${this.map.config}-${sid}-${this.option}` }, [
			E('label', { 'class': 'cbi-value-title' }, this.title),
			E('div', { 'class': 'cbi-value-field' }, [
				this.widget(value === null || value === undefined ? this.default : value),
				E('div', { 'class': 'cbi-value-description' }, this.description)
			])
		]);
	}

	show(sid) {
		this.node(sid).classList.toggle('hidden', !this.isActive(sid));
	}

	wrong(sid) {
		const text = this.formvalue(sid);

		if (text === '' || text === null)
			return this.rmempty || this.optional ? null : 'non-empty value';

		if (this.datatype && !valid(this.datatype, text))
			return this.datatype;

		const told = this.validate(sid, text);

		return told === true ? null : told;
	}

	parse(sid) {
		if (!this.isActive(sid))
			return this.retain ? undefined : this.remove(sid);

		const wrong = this.wrong(sid);

		this.node(sid).classList.toggle('cbi-input-invalid', wrong !== null);

		if (wrong !== null)
			throw new TypeError(`${sid}.${this.option}: ${wrong}`);

		const text = this.formvalue(sid);

		if (text === '' || text === null)
			return this.remove(sid);

		if (text !== this.cfgvalue(sid))
			return this.write(sid, text);
	}
}

class Flag extends Value {
	widget(value) {
		const input = E('input', { 'type': 'checkbox' }, []);

		input.checked = value === '1';

		return input;
	}

	formvalue(sid) { return this.input(sid).checked ? '1' : '0'; }

	parse(sid) {
		const value = this.formvalue(sid);

		return value === (this.default || '0') && this.rmempty ? this.remove(sid) : this.write(sid, value);
	}
}

class ListValue extends Value {
	value(key, text) {
		this.choices = (this.choices || []).concat([ [ String(key), String(text === undefined ? key : text) ] ]);
	}

	widget(value) {
		const select = E('select', { 'class': 'cbi-input-select' }, this.choices.map(([ key, text ]) =>
			E('option', { 'value': key }, [ text ])));

		select.value = value === undefined || value === null ? this.choices[0][0] : value;

		return select;
	}
}

/* Several values: an input for each, and an empty one. */
class DynamicList extends Value {
	all(value) { return value === undefined || value === null ? [] : [].concat(value); }

	widget(value) {
		return E('div', { 'class': 'cbi-dynlist' }, this.all(value).concat('').map((one) =>
			E('input', { 'type': 'text', 'value': one })));
	}

	formvalue(sid) {
		return Array.from(this.node(sid).querySelectorAll('input'), (input) => input.value).filter((one) => one !== '');
	}

	parse(sid) {
		const all = this.formvalue(sid);

		for (const one of all)
			if (!valid(this.datatype, one))
				throw new TypeError(`${sid}.${this.option}: ${this.datatype}`);

		if (!all.length)
			return this.remove(sid);

		if (JSON.stringify(all) !== JSON.stringify(this.all(this.cfgvalue(sid))))
			return this.write(sid, all);
	}
}

class Section {
	constructor(map, type, title, description) {
		Object.assign(this, { map, type, title, description, options: [] });
	}

	option(kind, ...args) {
		const option = new kind(this.map, this, ...args);

		this.options.push(option);

		return option;
	}

	async load() {
		for (const sid of this.ids())
			for (const option of this.options)
				option.cfgvalue(sid, await option.load(sid));
	}

	changed(act) {
		act();

		return this.map.save();
	}

	button(id, text, act) {
		return E('button', { 'class': 'cbi-button', 'id': id, 'click': ui.createHandlerFn(this, () => this.changed(act)) }, [ text ]);
	}

	part(sid) {
		return E('div', { 'class': 'cbi-section-node' }, this.options.map((option) => option.render(sid)).concat(
			this.addremove ? [ this.button(`remove-${sid}`, _('Delete'), () => uci.remove('cwmp', sid)) ] : []));
	}

	render() {
		const nodes = this.ids().map((sid) => this.part(sid));

		if (this.addremove && (this.name === undefined || !nodes.length))
			nodes.push(this.button(`add-${this.type}`, _('Add'), () => uci.add('cwmp', this.type, this.name)));

		return E('div', { 'class': 'cbi-section', 'data-tab': this.type }, [
			E('legend', {}, this.title), E('div', { 'class': 'cbi-section-descr' }, this.description)
		].concat(nodes));
	}
}

class NamedSection extends Section {
	constructor(map, name, ...args) {
		super(map, ...args);
		this.name = name;
	}

	ids() { return uci.get('cwmp', this.name) ? [ this.name ] : []; }
}

class TypedSection extends Section {
	ids() { return uci.sections('cwmp', this.type); }
}

class FormMap {
	constructor(config, title, description) {
		Object.assign(this, { config, title, description, sections: [] });
		FormMap.last = this;
	}

	section(kind, ...args) {
		const section = new kind(this, ...args);

		this.sections.push(section);

		return section;
	}

	check() {
		for (const section of this.sections)
			for (const sid of section.ids())
				section.options.forEach((option) => option.show(sid));
	}

	open(tab) {
		this.root.querySelectorAll('[data-tab]').forEach((node) => node.classList.toggle('hidden', node.dataset.tab !== tab));
		this.root.querySelectorAll('.cbi-tabmenu button').forEach((node) => node.classList.toggle('open', node.dataset.opens === tab));
	}

	async fill() {
		for (const section of this.sections)
			await section.load();

		dom.content(this.root, [
			E('h2', {}, this.title), E('div', { 'class': 'cbi-map-descr' }, this.description),
			E('div', { 'class': 'cbi-tabmenu' }, this.tabbed ? this.sections.map((section) => E('button', {
				'data-opens': section.type, 'click': () => this.open(section.type)
			}, [ section.title ])) : [])
		].concat(this.sections.map((section) => section.render())));

		if (this.tabbed)
			this.open(this.sections[0].type);
	}

	async render() {
		this.root = E('div', { 'class': 'cbi-map' });
		await this.fill();
		this.root.addEventListener('change', () => this.check());
		setTimeout(() => this.check(), 0);

		return this.root;
	}

	/* All or nothing. */
	async save() {
		const asked = this.sections.flatMap((section) => section.ids().flatMap((sid) =>
			section.options.filter((option) => option.node(sid)).map((option) => [ option, sid ])));
		const before = JSON.stringify(ROUTER.uci), marks = log.length;

		try {
			for (const [ option, sid ] of asked)
				option.parse(sid);
		}
		catch (e) {
			ROUTER.uci = JSON.parse(before);
			log.length = marks;
			throw e;
		}

		await uci.save();
		await this.fill();
		this.check();
	}
}

const form = { Map: FormMap, NamedSection, TypedSection, Value, Flag, ListValue, DynamicList };

const view = {
	extend: (body) => Object.assign({
		handleSave: () => FormMap.last.save(),
		handleSaveApply: () => FormMap.last.save(),
		handleReset: () => location.reload()
	}, body)
};

/* Loads a view as LuCI does: its 'require' lines are what it is given. */
async function open(path) {
	const source = FILES[path];
	const modules = { dom, form, fs, poll, uci, ui, view };
	const names = [ ...source.matchAll(/^'require ([a-z]+)';$/mg) ].map((match) => match[1]);

	names.forEach((name) => {
		if (!modules[name])
			throw new Error(`'require ${name}': the stand-in has no such module`);
	});

	/* Whatever else the view may name is not there. */
	const made = new Function('window', 'document', 'E', '_', ...names, source);
	const page = made(window, document, E, _, ...names.map((name) => modules[name]));
	const nodes = await page.render(await page.load());

	document.getElementById('view').append(nodes);

	if (page.handleSave)
		document.getElementById('view').append(E('div', { 'class': 'cbi-page-actions' }, [
			E('button', { 'id': 'save', 'class': 'cbi-button', 'click': ui.createHandlerFn(page, async () => {
				try {
					await page.handleSave();
				}
				catch (e) {
					log.push('refused ' + e.message);
				}
			}) }, [ _('Save') ])
		]));

	await settled();

	return page;
}

/* Until what a click began is done. */
async function settled() {
	for (let i = 0; i < 20; i++)
		await new Promise((done) => setTimeout(done, 0));
}

async function click(id) {
	const button = document.getElementById(id);

	if (!button)
		throw new Error(`there is no #${id}`);

	button.click();
	await settled();
}

function text(id) {
	const node = document.getElementById(id);

	return node ? node.textContent : null;
}

function equal(what, got, wanted) {
	const [ a, b ] = [ JSON.stringify(got), JSON.stringify(wanted) ];

	if (a !== b)
		throw new Error(`${what}: ${a} where ${b} should be`);
}

function holds(what, condition) {
	if (!condition)
		throw new Error(what);
}

/* Runs a story; its end stands in #verdict. */
function story(tell) {
	addEventListener('load', async () => {
		let verdict = 'good';

		try {
			await tell();
		}
		catch (e) {
			verdict = e.stack || String(e);
		}

		document.body.append(E('pre', { 'id': 'verdict' }, [ verdict ]));
	});
}
