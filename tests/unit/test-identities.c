/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-identities - ids of places, beside what a kernel told by Debian 12's rpc.mountd put into handles and
 * what mk_fsid() makes (linux fs/nfsd/nfsfh.h), and looking for them: file systems are a table, which
 * answers, fails or hangs, and so are the mounts; that mounts change is the real kernel's word.
 */

#include <errno.h>
#include <libmount/libmount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "exportsd/fs/identities.h"
#include "tests/fake/facts.h"
#include "tests/fake/own_mounts.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

static sd_event *event;
static struct mount_table *table;
static struct identities *identities;
static struct snapshot *snapshot;

/* ---- mounts ---- */

static char mounts[65536] = "";

struct libmnt_table *mnt_new_table_from_file(const char *file)
{
	struct libmnt_table *read = mnt_new_table();
	FILE *from = fmemopen(mounts, strlen(mounts) ? strlen(mounts) : 1, "r");

	mnt_table_parse_stream(read, from, file);
	fclose(from);
	return read;
}

static void add_mount(const char *root, const char *target)
{
	static unsigned int id = 20;
	size_t length = strlen(mounts);

	snprintf(mounts + length, sizeof(mounts) - length,
		 "%u 1 8:1 %s %s rw - ext4 /dev/sda1 rw\n", id++, root, target);
}

/* ---- file systems ---- */

enum { PLACES = 300 };

static struct {
	char path[64];
	struct paths_facts facts;
	int error;
	bool hangs;
	unsigned int asked;
} places[PLACES];
static size_t n_places;
static unsigned int n_asked;

struct paths_question {
	struct pending pending;
	paths_facts_fn done;
	void *userdata;
	size_t place; /* PLACES: none */
	sd_event_source *source;
	struct paths_question *next;
};
static struct paths_question *hanging;

static size_t find(const char *path)
{
	for (size_t i = 0; i < n_places; i++)
		if (str_equal(places[i].path, path))
			return i;
	return PLACES;
}

static struct paths_facts *put(const char *path, unsigned int minor_number, ino_t inode)
{
	size_t i = n_places++;

	snprintf(places[i].path, sizeof(places[i].path), "%s", path);
	places[i].facts.device = makedev(8, minor_number);
	places[i].facts.inode = inode;
	return &places[i].facts;
}

static void cancel_paths(struct pending *pending)
{
	struct paths_question *question = (struct paths_question *)pending;

	for (struct paths_question **link = &hanging; *link; link = &(*link)->next)
		if (*link == question) {
			*link = question->next;
			break;
		}
	sd_event_source_disable_unref(question->source);
	free(question);
}

static int answer(sd_event_source *source, void *userdata)
{
	struct paths_question copy = *(struct paths_question *)userdata;
	int error = copy.place == PLACES ? -ENOENT : places[copy.place].error;

	cancel_paths(userdata);
	copy.done(copy.userdata, error, error ? NULL : &places[copy.place].facts);
	return 0;
}

int paths_facts(struct paths *paths, const char *path, paths_facts_fn done, void *userdata,
		struct pending **ret_question)
{
	struct paths_question *question = calloc(1, sizeof(*question));

	n_asked++;
	*question = (struct paths_question){ { cancel_paths }, .done = done, .userdata = userdata };
	question->place = find(path);
	if (question->place < PLACES)
		places[question->place].asked++;
	if (question->place < PLACES && places[question->place].hangs) {
		question->next = hanging;
		hanging = question;
	} else {
		sd_event_add_defer(event, &question->source, answer, question);
	}
	*ret_question = &question->pending;
	return 0;
}

/* paths.c gives up waiting. */
static void time_out(void)
{
	while (hanging) {
		struct paths_question copy = *hanging;

		cancel_paths(&hanging->pending);
		copy.done(copy.userdata, -ETIMEDOUT, NULL);
	}
}

/* Only the first byte: enough to tell two apart. */
void paths_fold_uuid(const char *text, size_t size, uint8_t *ret_bytes)
{
	memset(ret_bytes, 0, size);
	ret_bytes[0] = (uint8_t)strtoul((const char[]){ text[0], text[1], 0 }, NULL, 16);
}

/* ---- asking ---- */

struct asked {
	unsigned int n_done;
	char paths[256]; /* joined by spaces */
	bool complete;
	struct pending *question;
};

static void on_found(void *userdata, const char *const *paths, size_t n_paths, bool complete)
{
	struct asked *asked = userdata;

	asked->n_done++;
	asked->complete = complete;
	for (size_t i = 0; i < n_paths; i++)
		snprintf(asked->paths + strlen(asked->paths),
			 sizeof(asked->paths) - strlen(asked->paths), "%s%s", i ? " " : "",
			 paths[i]);
}

static void on_mounts_told(void *userdata)
{
	(*(unsigned int *)userdata)++;
}

static void turn_idle(void)
{
	for (int i = 0; i < 2000 && sd_event_run(event, 0) > 0; i++)
		;
}

/* Until nothing more happens by itself, mounts having been read. */
static void turn(void)
{
	struct pending *pending = NULL;
	unsigned int n = 0;

	turn_idle();
	if (mount_table_wait(table, on_mounts_told, &n, &pending) < 0)
		abort();
	(void)loop_until(event, &n, 1, 10000);
	turn_idle();
}

static void ask(struct asked *asked, enum kernel_fsid_type type, const uint8_t *fsid)
{
	memset(asked, 0, sizeof(*asked));
	if (identities_find(identities, type, fsid, on_found, asked, &asked->question) < 0 ||
	    asked->n_done)
		printf("# asked in vain, or answered from within\n");
}

static void ask_device(struct asked *asked, unsigned int minor_number, uint32_t inode)
{
	uint8_t fsid[8] = { 0, 8, 0, (uint8_t)minor_number };

	memcpy(fsid + 4, &inode, 4);
	ask(asked, FSID_DEV, fsid);
}

static void is_found(unsigned int minor_number, uint32_t inode, const char *wanted, bool complete,
		     const char *what)
{
	struct asked asked;

	ask_device(&asked, minor_number, inode);
	turn();
	is_str(asked.n_done == 1 ? asked.paths : "(not told)", wanted, what);
	if (asked.n_done == 1)
		is_int(asked.complete, complete, complete ? "  that is all" : "  perhaps not all");
	else
		pending_cancel(&asked.question);
}

/* After the time in which a look round is over if no disk is dead. */
static void is_found_slowly(unsigned int minor_number, uint32_t inode, const char *wanted,
			    bool complete, const char *what)
{
	struct asked asked;

	ask_device(&asked, minor_number, inode);
	turn();
	is_int(asked.n_done, 0, "other places are waited for, for a moment");
	loop_for(event, 300);
	is_str(asked.n_done == 1 ? asked.paths : "(not told)", wanted, what);
	is_int(asked.complete, complete, complete ? "  that is all" : "  perhaps not all");
}

static struct facts no_facts;

/* What was there when the exports were loaded: the same table. */
static struct snapshot_seen seen_at_load(void *userdata, const char *path)
{
	size_t i = find(path);

	if (i == PLACES)
		return (struct snapshot_seen){ 0 };
	return (struct snapshot_seen){ .device = places[i].facts.device,
				       .inode = places[i].facts.inode };
}

static void put_in_force(const char *text)
{
	struct diags diags = { 0 };
	struct snapshot *old = snapshot;

	identities_begin_load(identities);
	snapshot = facts_snapshot(&no_facts, text, false, &diags);
	diags_done(&diags);
	identities_set_snapshot(identities, snapshot);
	snapshot_free(old);
}

static void begin(const char *text)
{
	memset(places, 0, sizeof(places));
	n_places = n_asked = 0;
	if (mount_table_new(&table, event) < 0 ||
	    identities_new(&identities, event, NULL, NULL, table, NULL) < 0)
		exit(EXIT_FAILURE);
	put_in_force(text);
	put("/", 1, 2);
}

static void end(void)
{
	identities = identities_free(identities);
	table = mount_table_free(table);
	mounts[0] = '\0';
	snapshot = snapshot_free(snapshot);
	ok(!hanging, "no question to a file system is left behind");
}

/* ---- tests ---- */

static void test_pseudo_root(void)
{
	static const uint8_t srv[16] = { 0x0c, 0x21, 0xa5, 0xbe, 0xc5, 0x39, 0x5c, 0x60,
					 0x81, 0xba, 0x26, 0x13, 0x90, 0x41, 0xc6, 0xd8 };
	uint8_t uuid[16];

	identity_of_pseudo_root("/srv", uuid);
	ok(memcmp(uuid, srv, sizeof(srv)) == 0, "the pseudo-root /srv has rpc.mountd's uuid");
}

static const struct identity_id *id_of(const struct identity_id *ids, size_t n, uint32_t type)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i].type == type)
			return &ids[i];
	return NULL;
}

/* On a little-endian machine, as the kernel's "host order" is there. */
static void test_ids(void)
{
	static const uint8_t wanted[FSID_N_TYPES][KERNEL_FSID_MAX] = {
		[FSID_DEV] = { 0x08, 0x05, 0x01, 0x23, 0x78, 0x56, 0x34, 0x12 },
		[FSID_MAJOR_MINOR] = { 0, 0, 0x08, 0x05, 0, 0, 0x01, 0x23, 0x78, 0x56, 0x34, 0x12 },
		/* new_encode_dev(): minor's low byte, major << 8, the rest of the minor << 12 */
		[FSID_ENCODE_DEV] = { 0x23, 0x05, 0x18, 0x00, 0x78, 0x56, 0x34, 0x12 },
		[FSID_UUID4_INUM] = { 0x78, 0x56, 0x34, 0x12, 0x00 ^ 0x44 ^ 0x88 ^ 0xcc,
				      0x11 ^ 0x55 ^ 0x99 ^ 0xdd, 0x22 ^ 0x66 ^ 0xaa ^ 0xee,
				      0x33 ^ 0x77 ^ 0xbb ^ 0xff },
		[FSID_UUID8] = { 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88 },
		[FSID_UUID16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
				  0xbb, 0xcc, 0xdd, 0xee, 0xff },
		[FSID_UUID16_INUM] = { 0x78, 0x56, 0x34, 0x12, 0x9a, 0,	   0,	 0,
				       0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
				       0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff },
	};
	struct paths_facts facts = { .device = makedev(0x805, 0x123),
				     .inode = 0x9a12345678,
				     .has_block_uuid = true };
	struct identity_id ids[IDENTITY_IDS_MAX];
	size_t n;

	for (unsigned int i = 0; i < 16; i++)
		facts.block_uuid[i] = (uint8_t)(0x11 * i);
	n = identity_ids(&facts, NULL, ids);
	ok(!id_of(ids, n, FSID_UUID16) && !id_of(ids, n, FSID_UUID8),
	   "only a file system's root is known by its uuid alone");
	facts.is_mount_root = true;
	n = identity_ids(&facts, NULL, ids);
	for (uint32_t type = 0; type < FSID_N_TYPES; type++) {
		const struct identity_id *id = id_of(ids, n, type);

		if (type == FSID_NUM)
			ok(!id, "a number is no identity");
		else
			ok(id && memcmp(id->bytes, wanted[type], KERNEL_FSID_MAX) == 0,
			   "type %u as the kernel makes it", type);
	}
	facts.has_statfs_uuid = true;
	n = identity_ids(&facts, NULL, ids);
	is_int((long long)n, 11, "with two uuids there are more");
	n = identity_ids(&facts, wanted[FSID_UUID16], ids);
	is_int((long long)n, 7, "with an option's uuid only that one");
}

static void test_finding(void)
{
	struct asked asked[3];
	unsigned int before;

	begin("/srv/a *(ro)\n/srv/b *(ro)\n");
	put("/srv", 1, 10);
	put("/srv/a", 2, 11);
	put("/srv/b", 3, 12);
	for (size_t i = 0; i < N_ELEMENTS(asked); i++)
		ask_device(&asked[i], (unsigned int)i + 1, 10 + (uint32_t)i);
	is_int(n_asked, 0, "nothing is looked at from within the call");
	turn();
	is_str(asked[0].paths, "/srv", "a directory above an export");
	is_str(asked[1].paths, "/srv/a", "an export");
	is_str(asked[2].paths, "/srv/b", "another one");
	is_int(n_asked, 4 + 3, "all share one look round, and each has its own looked at again");
	is_found(2, 11, "/srv/a", true, "known, it is found again");
	is_int(n_asked, 4 + 3 + 1, "after one look at it");
	before = n_asked;
	is_found(9, 99, "", true, "what nobody has is not there");
	is_int(n_asked, before, "and while mounts stay, nothing is looked at for it");
	places[find("/srv/a")].facts.inode = 77;
	is_found(2, 11, "", true, "what is known and no longer true is not believed");
	places[find("/srv/a")].facts.inode = 11;
	places[find("/srv/a")].error = -EACCES;
	is_found(2, 11, "", false, "who cannot look does not say no");
	put_in_force("/srv/b *(ro)\n");
	is_found(2, 11, "", true, "other exports: another table");
	is_found(3, 12, "/srv/b", true, "with what they have");
	end();
}

static void test_cancel(void)
{
	struct asked asked[2];

	begin("/srv/a *(ro)\n");
	put("/srv/a", 2, 11);
	places[find("/srv/a")].hangs = true;
	ask_device(&asked[0], 2, 11);
	pending_cancel(&asked[0].question);
	turn();
	is_int(n_asked, 0, "cancelled before it began, nothing is looked at");
	ask_device(&asked[0], 2, 11);
	ask_device(&asked[1], 5, 55);
	turn();
	pending_cancel(&asked[0].question);
	time_out();
	turn();
	is_int(asked[0].n_done, 0, "cancelled in a look round, it is not told");
	ok(asked[1].n_done == 1 && !asked[1].complete, "the other one is, at its end");
	places[find("/srv/a")].hangs = false;
	is_found(2, 11, "/srv/a", true, "what did not answer then is looked at again");
	is_found(2, 11, "/srv/a", true, "and known from then on");
	places[find("/srv/a")].hangs = true;
	ask_device(&asked[0], 2, 11);
	turn();
	pending_cancel(&asked[0].question);
	turn();
	is_int(asked[0].n_done, 0, "cancelled while it is verified, it is not told");
	ask_device(&asked[0], 2, 11);
	ask_device(&asked[1], 5, 55);
	turn();
	/* Not cancelled: the end has to. */
	end();
	is_int((int)asked[0].n_done, 0, "nor is anybody when all ends");
}

static void test_dead_disk(void)
{
	struct asked dead;
	unsigned int asked_before;

	begin("/srv/a *(ro)\n/srv/dead *(ro)\n/srv/z *(ro)\n");
	put("/srv/a", 2, 11);
	put("/srv/dead", 3, 12);
	put("/srv/z", 4, 13);
	places[find("/srv/dead")].hangs = true;
	ask_device(&dead, 3, 12);
	is_found_slowly(2, 11, "/srv/a", false,
			"with a dead disk, others are found before it is given up");
	is_found(4, 13, "/srv/z", false, "those too that come after it");
	time_out();
	turn();
	ok(dead.n_done == 1 && !dead.paths[0] && !dead.complete, "its own id has no no");
	ask_device(&dead, 3, 12);
	turn();
	asked_before = places[find("/srv/dead")].asked;
	is_found(2, 11, "/srv/a", true, "while it is tried again others do not wait either");
	is_int(places[find("/srv/dead")].asked, asked_before, "nor try it");
	time_out();
	turn();
	places[find("/srv/dead")].hangs = false;
	is_found(3, 12, "/srv/dead", true, "back again, it is found");
	is_found(3, 12, "/srv/dead", true, "and stays so");
	end();
}

static void test_hundred_mounts(void)
{
	struct paths_facts *facts;
	struct asked asked;
	char path[64], root[64];
	uint8_t uuid[16] = { 0xab };

	add_mount("/", "/");
	for (unsigned int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/srv/part%u", i);
		snprintf(root, sizeof(root), "/dir%u", i);
		add_mount(root, path);
	}
	add_mount("/", "/srv/whole");
	add_mount("/", "/mnt/media/disc");
	add_mount("/", "/elsewhere");
	begin("/srv *(ro,crossmnt)\n/mnt/media/* *(ro,mountpoint,fsid=/run/h)\n");
	put("/srv", 1, 10);
	for (unsigned int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/srv/part%u", i);
		facts = put(path, 7, 1000 + i);
		facts->is_mount_root = facts->has_block_uuid = true;
		facts->block_uuid[0] = 0xab;
	}
	facts = put("/srv/whole", 7, 2);
	facts->is_mount_root = facts->has_block_uuid = true;
	facts->block_uuid[0] = 0xab;
	put("/mnt/media/disc", 8, 1);
	put("/elsewhere", 9, 1);

	is_found(7, 1042, "/srv/part42", true, "one of a hundred mounts below crossmnt");
	ask(&asked, FSID_UUID16, uuid);
	turn();
	is_str(asked.paths, "/srv/whole",
	       "the uuid alone means the root, not the hundred directories bound elsewhere");
	is_found(8, 1, "", true, "a medium is known by its number only");
	is_found(9, 1, "", true, "what is mounted elsewhere is nobody's business");
	is_int(places[find("/elsewhere")].asked, 0, "and not even looked at");
	end();
}

/* The same directory, exported in many places. */
static void test_many_places(void)
{
	char text[1024] = "";
	struct asked asked;
	unsigned int n = 1;

	for (unsigned int i = 0; i < 12; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "/bind%u *(ro)\n", i);
	begin(text);
	for (unsigned int i = 0; i < 12; i++) {
		snprintf(text, sizeof(text), "/bind%u", i);
		put(text, 2, 11);
	}
	is_found(1, 2, "/", true, "first a look round");
	ask_device(&asked, 2, 11);
	turn();
	for (const char *at = asked.paths; (at = strchr(at, ' ')); at++)
		n++;
	is_int(n, 8, "of a dozen places with one id eight are told");
	end();
}

static void test_option_uuid(void)
{
	static const uint8_t uuid[16] = { 0xf0 };
	struct asked asked;

	begin("/srv/c *(ro,fsid=f0112233445566778899aabbccddeeff)\n");
	put("/srv/c", 2, 11)->is_mount_root = true;
	ask(&asked, FSID_UUID16, uuid);
	turn();
	is_str(asked.paths, "/srv/c", "an option's uuid");
	is_found(2, 11, "/srv/c", true, "its device, as a handle from before the option has it");
	end();
}

/* ---- exports whose inodes are known since they were loaded ---- */

enum { MANY = 200 };

static void begin_many(void)
{
	static char text[(MANY + 2) * 32];
	size_t length = (size_t)snprintf(text, sizeof(text), "%s",
					 "/mnt/media/* *(ro,mountpoint,fsid=/run/h)\n");
	char path[64];

	begin("");
	put("/srv", 1, 10);
	for (unsigned int i = 0; i < MANY; i++) {
		length += (size_t)snprintf(text + length, sizeof(text) - length, "/srv/e%u *(ro)\n",
					   i);
		snprintf(path, sizeof(path), "/srv/e%u", i);
		put(path, 2, 1000 + i)->has_statfs_uuid = true;
		places[n_places - 1].facts.statfs_uuid[0] = 0xcd;
	}
	no_facts.seen = seen_at_load;
	put_in_force(text);
}

static void end_many(void)
{
	no_facts.seen = NULL;
	end();
}

static unsigned int n_asked_of_many(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < n_places; i++)
		if (strncmp(places[i].path, "/srv/e", 6) == 0)
			n += places[i].asked > 0;
	return n;
}

static void ask_uuid(struct asked *asked, uint8_t first, uint64_t inode)
{
	uint8_t fsid[24] = { 0 };

	memcpy(fsid, &inode, sizeof(inode));
	fsid[8] = first;
	ask(asked, FSID_UUID16_INUM, fsid);
	turn();
}

static void test_seen(void)
{
	struct asked asked;

	begin_many();
	is_found(2, 1042, "/srv/e42", false, "an export, by what was seen when it was loaded");
	ok(n_asked_of_many() <= 2, "  and beside it one of its file system is looked at: %u",
	   n_asked_of_many());
	ask_uuid(&asked, 0xcd, 1077);
	is_str(asked.paths, "/srv/e77", "by its uuid, too");
	ok(asked.complete, "  and that is all there are");
	is_int(places[find("/srv/e77")].asked, 1, "  after one look at it");
	ask_uuid(&asked, 0xce, 1078);
	is_str(asked.paths, "", "a uuid that no file system has");
	is_int(places[find("/srv/e78")].asked, 0, "  has nobody with that inode looked at");
	is_found(1, 10, "/srv", true, "a pseudo-root is looked at");
	is_found(2, 5000, "", true, "what nobody has is not there");
	ok(n_asked_of_many() <= 3, "all in all, of %u exports %u were looked at", MANY,
	   n_asked_of_many());
	end_many();
}

/* Subvolumes: each has a device and a uuid of its own, and all have one inode number. */
static void test_seen_subvolumes(void)
{
	char text[1024] = "", path[64];
	struct asked asked;

	begin("");
	for (unsigned int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/srv/e%u", i);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s *(ro)\n", path);
		put(path, 100 + i, 256)->has_statfs_uuid = true;
		places[n_places - 1].facts.statfs_uuid[0] = (uint8_t)(0x10 + i);
	}
	no_facts.seen = seen_at_load;
	put_in_force(text);
	ask_uuid(&asked, 0x11, 256);
	is_int(asked.n_done, 1, "the first question, before any uuid is known, is answered");
	ask_uuid(&asked, 0x21, 256);
	is_str(asked.paths, "/srv/e17", "of twenty with one inode number the uuid tells which");
	end_many();
}

static void test_seen_option_uuid(void)
{
	struct asked asked;

	begin("");
	put("/srv/ea", 2, 11);
	put("/srv/eb", 2, 12);
	no_facts.seen = seen_at_load;
	put_in_force("/srv/ea *(ro,fsid=f0112233445566778899aabbccddeeff)\n/srv/eb *(ro)\n");
	ask_uuid(&asked, 0xf0, 11);
	is_str(asked.paths, "/srv/ea", "an option's uuid, with an inode");
	ask_uuid(&asked, 0xf0, 12);
	is_str(asked.paths, "", "which its neighbour has not");
	end_many();
}

static void test_learning(void)
{
	struct asked asked;

	begin_many();
	is_found(2, 1042, "/srv/e42", false, "an export");
	places[find("/srv/e42")].facts.inode = 7;
	is_found(2, 7, "", true, "another directory in its place is not known by itself");
	identities_learn(identities, "/srv/e42", &places[find("/srv/e42")].facts);
	identities_learn(identities, "/srv/e43", &places[find("/srv/e43")].facts);
	identities_learn(identities, "/nowhere", &places[find("/srv/e43")].facts);
	is_found(2, 7, "/srv/e42", true, "but as soon as its path was looked at");
	ask_uuid(&asked, 0xcd, 7);
	is_str(asked.paths, "/srv/e42", "by its uuid, too");
	is_found(2, 1042, "", true, "the one before is not there any more");
	put_in_force("/srv/e1 *(ro)\n");
	is_found(2, 7, "", true, "with other exports it is forgotten");
	end_many();
}

/* @mounts changed as written there */
static void mounts_do_change(const char *directory)
{
	if (mount("tmpfs", directory, "tmpfs", 0, NULL) < 0)
		perror(directory);
}

/* Exports have been looked at, and are not in force yet. */
static void loading_meanwhile(const char *directory)
{
	struct diags diags = { 0 };
	struct snapshot *old = snapshot;

	identities_begin_load(identities);
	snapshot = facts_snapshot(&no_facts, "/srv/e60 *(ro)\n/srv/e61 *(ro)\n", false, &diags);
	diags_done(&diags);
	add_mount("/", "/srv/e60");
	places[find("/srv/e60")].facts =
		(struct paths_facts){ .device = makedev(8, 9), .inode = 3 };
	mounts_do_change(directory);
	identities_set_snapshot(identities, snapshot);
	snapshot_free(old);
	is_found(9, 3, "/srv/e60", true, "mounted between a load and its end, it is found");
}

static void test_seen_and_mounts(void)
{
	char directory[] = "/tmp/test-identities-XXXXXX";
	unsigned int n;

	if (own_mounts() < 0 || !mkdtemp(directory)) {
		ok(true, "mounts change # SKIP no mount namespace here");
		return;
	}
	begin_many();
	is_found(2, 1042, "/srv/e42", false, "an export");
	n = n_asked_of_many();
	add_mount("/", "/elsewhere");
	mounts_do_change(directory);
	is_found(9, 99, "", true, "something is mounted elsewhere");
	is_int(n_asked_of_many(), n, "  and no export is looked at for it");
	add_mount("/", "/srv/e50");
	places[find("/srv/e50")].facts =
		(struct paths_facts){ .device = makedev(8, 9), .inode = 2 };
	mounts_do_change(directory);
	is_found(9, 2, "/srv/e50", true, "something is mounted on an export");
	is_found(9, 2, "/srv/e50", true, "  and known");
	is_int(n_asked_of_many(), n + 1, "  and only that one is looked at");
	add_mount("/", "/mnt/media/disc");
	mounts_do_change(directory);
	n = n_asked;
	is_found(9, 97, "", true, "a medium is mounted");
	is_int(n_asked, n, "  and nothing is looked at for it");
	add_mount("/", "/srv");
	mounts_do_change(directory);
	is_found(9, 98, "", true, "something is mounted above all");
	is_int(n_asked_of_many(), MANY, "  and all are looked at");
	loading_meanwhile(directory);
	while (umount(directory) == 0)
		;
	rmdir(directory);
	end_many();
}

/* In a mount namespace of the test's own: mounts do change. */
static void test_mounts_change(void)
{
	char directory[] = "/tmp/test-identities-XXXXXX";
	struct asked asked;

	if (own_mounts() < 0 || !mkdtemp(directory)) {
		ok(true, "mounts change # SKIP no mount namespace here");
		return;
	}
	begin("/srv/a *(ro)\n/srv/slow *(ro)\n");
	put("/srv/a", 2, 11);
	put("/srv/slow", 3, 12);
	is_found(5, 55, "", true, "it is not mounted");
	places[find("/srv/a")].facts = (struct paths_facts){ .device = makedev(8, 5), .inode = 55 };
	is_found(5, 55, "", true, "nobody says that mounts changed");
	if (mount("tmpfs", directory, "tmpfs", 0, NULL) < 0)
		perror(directory);
	/* The loop has not heard of it when the question comes. */
	is_found(5, 55, "/srv/a", true, "mounted, it is found at once");
	umount(directory);

	places[find("/srv/slow")].hangs = true;
	ask_device(&asked, 6, 66);
	turn();
	is_int(asked.n_done, 0, "a look round is slow");
	pending_cancel(&asked.question);
	mount("tmpfs", directory, "tmpfs", 0, NULL);
	places[find("/srv/a")].facts = (struct paths_facts){ .device = makedev(8, 6), .inode = 66 };
	ask_device(&asked, 6, 66);
	turn();
	places[find("/srv/slow")].hangs = false;
	time_out();
	turn();
	is_str(asked.n_done == 1 ? asked.paths : "(not told)", "/srv/a",
	       "what was mounted meanwhile is found in another one");
	umount(directory);
	rmdir(directory);
	end();
}

int main(void)
{
	if (sd_event_new(&event) < 0)
		return EXIT_FAILURE;
	test_pseudo_root();
	test_ids();
	test_finding();
	test_cancel();
	test_dead_disk();
	test_hundred_mounts();
	test_many_places();
	test_option_uuid();
	test_mounts_change();
	test_seen();
	test_seen_subvolumes();
	test_seen_option_uuid();
	test_learning();
	test_seen_and_mounts();
	sd_event_unref(event);
	return tap_done();
}
