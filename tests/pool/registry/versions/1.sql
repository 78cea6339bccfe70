BEGIN TRANSACTION;
CREATE TABLE grants (
	job BIGINT NOT NULL, 
	epoch BIGINT NOT NULL, 
	number BIGINT NOT NULL, 
	host VARCHAR(253) NOT NULL, 
	slots BIGINT NOT NULL, 
	PRIMARY KEY (job, epoch, number, host)
);
INSERT INTO "grants" VALUES(17,2,5,'lab03',4);
INSERT INTO "grants" VALUES(17,2,5,'lab05',2);
INSERT INTO "grants" VALUES(17,2,6,'lab03',1);
CREATE TABLE history (
	id BIGINT NOT NULL, 
	at DOUBLE NOT NULL, 
	job BIGINT NOT NULL, 
	host VARCHAR(253) NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	text VARCHAR(1000) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "history" VALUES(1,1.0,17,'','running','started
with two lines');
CREATE TABLE hosts (
	name VARCHAR(253) NOT NULL, 
	slots BIGINT NOT NULL, 
	most BIGINT NOT NULL, 
	memory BIGINT NOT NULL, 
	gpus BIGINT NOT NULL, 
	only VARCHAR(2000) NOT NULL, 
	owner VARCHAR(100) NOT NULL, 
	active BOOLEAN NOT NULL, 
	info VARCHAR(200) NOT NULL, 
	platform VARCHAR(100) NOT NULL, 
	boot VARCHAR(64) NOT NULL, 
	heard DOUBLE NOT NULL, 
	reason VARCHAR(300) NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "hosts" VALUES('lab03',48,40,137438953472,2,'ben','ben',0,'room 4 🐢','x86_64','b-1',1796150000.1,'''"\%');
CREATE TABLE jobs (
	id BIGINT NOT NULL, 
	owner VARCHAR(100) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	place VARCHAR(253) NOT NULL, 
	boot VARCHAR(64) NOT NULL, 
	labels VARCHAR(500) NOT NULL, 
	"group" VARCHAR(100) NOT NULL, 
	info VARCHAR(200) NOT NULL, 
	priority BIGINT NOT NULL, 
	cores BIGINT NOT NULL, 
	memory BIGINT NOT NULL, 
	gpus DOUBLE NOT NULL, 
	licences VARCHAR(500) NOT NULL, 
	hosts VARCHAR(4000) NOT NULL, 
	exclude VARCHAR(4000) NOT NULL, 
	time DOUBLE NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	sets BIGINT NOT NULL, 
	done BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	submitted DOUBLE NOT NULL, 
	started DOUBLE NOT NULL, 
	ended DOUBLE NOT NULL, 
	outcome VARCHAR(500) NOT NULL, 
	mail VARCHAR(254) NOT NULL, 
	sweep BIGINT NOT NULL, 
	"set" BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "jobs" VALUES(17,'ada','pi','lab07','','a,b','thesis','Re 1e5',64,1,0,0.0,'','','',0.0,'running',0,0,0,1.79615000098765397072e+09,0.0,0.0,'','',0,0);
INSERT INTO "jobs" VALUES(18,'ada','pi','lab07','','','','',64,1,0,0.0,'','','',0.0,'finished',0,0,0,0.0,0.0,1796150001.5,'all done','',0,0);
CREATE TABLE ledger (
	id BIGINT NOT NULL, 
	job BIGINT NOT NULL, 
	host VARCHAR(253) NOT NULL, 
	slots BIGINT NOT NULL, 
	gpus DOUBLE NOT NULL, 
	since DOUBLE NOT NULL, 
	until DOUBLE NOT NULL, 
	heard DOUBLE NOT NULL, 
	seconds DOUBLE NOT NULL, 
	price DOUBLE NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "ledger" VALUES(1,1,'lab03',2,0.0,100.0,0.0,100.0,0.0,1.0);
INSERT INTO "ledger" VALUES(2,1,'lab03',2,0.0,100.0,200.0,100.0,0.0,1.0);
CREATE TABLE licences (
	name VARCHAR(100) NOT NULL, 
	total BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "licences" VALUES('abaqus',3);
CREATE TABLE meta (
	one BIGINT NOT NULL, 
	schema BIGINT NOT NULL, 
	farm VARCHAR(64) NOT NULL, 
	host VARCHAR(253) NOT NULL, 
	process BIGINT NOT NULL, 
	epoch BIGINT NOT NULL, 
	renewed DOUBLE NOT NULL, 
	last_job BIGINT NOT NULL, 
	last_ledger BIGINT NOT NULL, 
	last_history BIGINT NOT NULL, 
	PRIMARY KEY (one)
);
INSERT INTO "meta" VALUES(1,1,'0123456789abcdef0123456789abcdef','srv',0,1,0.0,18,2,1);
CREATE TABLE settings (
	name VARCHAR(100) NOT NULL, 
	value VARCHAR(4000) NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "settings" VALUES('half_life','1 day');
CREATE TABLE tokens (
	sha256 VARCHAR(64) NOT NULL, 
	user VARCHAR(100) NOT NULL, 
	host VARCHAR(253) NOT NULL, 
	until DOUBLE NOT NULL, 
	PRIMARY KEY (sha256)
);
INSERT INTO "tokens" VALUES('ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','ada','lab07',1796150000.25);
CREATE TABLE users (
	name VARCHAR(100) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	share DOUBLE NOT NULL, 
	used DOUBLE NOT NULL, 
	used_at DOUBLE NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	groups VARCHAR(500) NOT NULL, 
	also VARCHAR(500) NOT NULL, 
	mail VARCHAR(254) NOT NULL, 
	digest BOOLEAN NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "users" VALUES('ada','admin',2.5,3.33333333333333313463e+08,1.79615000012345600133e+09,0,'a b','ada2','a@b.c',0);
INSERT INTO "users" VALUES('Ada','member',1.0,0.0,0.0,1,'','','',1);
INSERT INTO "users" VALUES('adä','member',1.0,0.0,0.0,1,'','','',1);
CREATE INDEX jobs_by_group ON jobs ("group");
CREATE INDEX jobs_by_owner ON jobs (owner);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX jobs_by_ended ON jobs (ended);
CREATE INDEX ledger_by_until ON ledger (until);
CREATE INDEX ledger_by_job ON ledger (job);
CREATE INDEX history_by_host ON history (host);
CREATE INDEX history_by_job ON history (job);
CREATE INDEX history_by_at ON history (at);
COMMIT;
