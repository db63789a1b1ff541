/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * handle.c - exportsctl handle: what a file handle is the handle of.
 *
 * The handle is read here, the daemon names the path, and where something is mounted there the file
 * is found by the file system itself (open_by_handle_at(2)), as nfsd would. That is done in this
 * process, so that a file system that hangs holds up nobody else.
 */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "exportsd/ctl/ctl.h"
#include "exportsd/ctl/json.h"
#include "exportsd/kernel/filehandle.h"
#include "parser/escape.h"
#include "parser/text.h"

enum { SEARCH_MAX = 1000000 }; /* files looked at for one that has no name in memory */

/* ---- texts ---- */

/* As people write it. */
static char *hex_of(const uint8_t *bytes, size_t n_bytes)
{
	char *hex = escape_hex(bytes, n_bytes);

	return hex ? memmove(hex, hex + strlen("\\x"), 2 * n_bytes + 1) : NULL;
}

static char *join_arguments(char *const *arguments)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return NULL;
	for (size_t i = 0; arguments[i]; i++)
		fprintf(memory, "%s%s", i ? " " : "", arguments[i]);
	if (fclose(memory) == 0)
		return text;
	free(text);
	return NULL;
}

/* ---- the file ---- */

struct file {
	int error; /* -errno: why there is none */
	bool searched; /* its name is not in the kernel's memory, and all files were looked at */
	uint64_t inode;
	mode_t mode;
	char path[PATH_MAX];
};

static struct {
	dev_t device;
	ino_t inode;
	size_t n_seen;
	char path[PATH_MAX];
} search;

/* nftw() passes nothing on. */
static int on_file(const char *path, const struct stat *facts, int type, struct FTW *where)
{
	if (facts->st_dev == search.device && facts->st_ino == search.inode) {
		(void)snprintf(search.path, sizeof(search.path), "%s", path);
		return 1;
	}
	return ++search.n_seen < SEARCH_MAX ? 0 : 2;
}

static void find_name(const char *root, const struct stat *facts, struct file *file)
{
	enum { DIRECTORIES_OPEN = 32 };

	file->searched = true;
	search.device = facts->st_dev;
	search.inode = facts->st_ino;
	if (nftw(root, on_file, DIRECTORIES_OPEN, FTW_MOUNT | FTW_PHYS) == 1)
		(void)snprintf(file->path, sizeof(file->path), "%s", search.path);
}

/*
 * The name by which the kernel knows the file that a descriptor is on; not if it came by its inode
 * alone.
 */
static void read_name(int fd, const char *root, struct file *file)
{
	CLEANUP(freep) char *link = NULL;
	size_t length = strlen(root);
	struct stat there;
	ssize_t n;

	if (asprintf(&link, "/proc/self/fd/%d", fd) < 0) {
		link = NULL;
		return;
	}
	n = readlink(link, file->path, sizeof(file->path) - 1);
	file->path[n < 0 ? 0 : n] = '\0';
	if (strncmp(file->path, root, length) != 0 ||
	    (file->path[length] && file->path[length] != '/') || lstat(file->path, &there) < 0)
		file->path[0] = '\0';
}

static int open_file(const char *root, const struct filehandle_facts *facts)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[FILEHANDLE_MAX];
	} room = { 0 };
	CLEANUP(closep) int mount = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd;

	if (mount < 0)
		return -errno;
	if (facts->shape == FILEID_NONE)
		return TAKE_FD(mount);
	room.handle.handle_bytes = (unsigned int)facts->fileid_length;
	room.handle.handle_type = facts->fileid_type;
	memcpy(room.bytes, facts->fileid, facts->fileid_length);
	fd = open_by_handle_at(mount, &room.handle, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void find_file(const char *root, const struct filehandle_facts *facts, struct file *ret_file)
{
	CLEANUP(closep) int fd = open_file(root, facts);
	struct stat there;

	*ret_file = (struct file){ 0 };
	if (fd < 0 || fstat(fd, &there) < 0) {
		ret_file->error = fd < 0 ? fd : -errno;
		return;
	}
	ret_file->inode = there.st_ino;
	ret_file->mode = there.st_mode;
	read_name(fd, root, ret_file);
	if (!*ret_file->path)
		find_name(root, &there, ret_file);
}

static const char *file_error(int error)
{
	switch (error) {
	case -ESTALE: return "its file system knows no such file: removed, or of another medium";
	case -EPERM: return "only root may look for it";
	case -EOPNOTSUPP: return "its file system cannot be asked";
	default: return strerror(-error);
	}
}

/* ---- what is known ---- */

/* A path that the file system id means. */
struct place {
	struct place *next;
	struct proto_message message; /* a copy */
	bool has_file;
	struct file file;
};

static const char *value_of(const struct place *place, const char *key)
{
	return proto_get(&place->message, key);
}

static bool is_set(const struct place *place, const char *key)
{
	return get_number(&place->message, key) == 1;
}

static void places_free(struct place *place)
{
	while (place) {
		struct place *next = place->next;

		copy_done(&place->message);
		free(place);
		place = next;
	}
}

/* @userdata: where the next one goes */
static bool add_place(void *userdata, const struct proto_message *message)
{
	struct place ***end = userdata;
	struct place *place = is_entry(message, "place") ? calloc(1, sizeof(*place)) : NULL;

	if (place && copy_message(message, &place->message)) {
		**end = place;
		*end = &place->next;
	} else {
		free(place);
	}
	return true;
}

/* Asks the daemon. Returns false if it could not be asked, which was said. */
static bool find_places(const struct ctl_invocation *invocation,
			const struct filehandle_facts *facts, struct place **ret_places)
{
	CLEANUP(freep) char *hex = escape_hex(facts->fsid, kernel_fsid_length(facts->fsid_type));
	char type[16];

	(void)snprintf(type, sizeof(type), "%d", facts->fsid_type);
	return hex && ctl_ask(invocation, "handle", add_place, &ret_places, "handle", "fsid-type",
			      type, "fsid", hex, NULL) == EXIT_SUCCESS;
}

static bool is_medium(const struct place *place)
{
	return str_equal(value_of(place, "kind") ?: "", "medium");
}

/* What is not mounted, or holds another medium, has no such file. */
static void find_files(struct place *places, const struct filehandle_facts *facts)
{
	for (struct place *place = places; place; place = place->next) {
		const char *path = value_of(place, "path");

		if (!path || (is_medium(place) && !is_set(place, "fits")))
			continue;
		place->has_file = true;
		find_file(path, facts, &place->file);
	}
}

/* ---- for people ---- */

static void print_line(const char *name, const char *format, ...) FORMAT_PRINTF(2, 3);

static void print_line(const char *name, const char *format, ...)
{
	CLEANUP(freep) char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = text_vformat(format, ap);
	va_end(ap);
	printf("%-12s ", name);
	print_shown(stdout, text ?: "?");
	putchar('\n');
}

static void print_fsid(const struct filehandle_facts *facts)
{
	CLEANUP(freep) char *uuid = hex_of(facts->uuid, facts->uuid_length);
	const char *name = filehandle_fsid_name(facts->fsid_type);
	char root[64] = "";

	if (facts->has_root_inode)
		(void)snprintf(root, sizeof(root), ", inode %llu of the exported directory",
			       (unsigned long long)facts->root_inode);
	if (facts->has_device)
		print_line("file system", "device %u:%u%s (%s)", facts->major, facts->minor, root,
			   name);
	else if (facts->has_uuid)
		print_line("file system", "UUID %s%s%s (%s)", uuid ?: "?",
			   facts->uuid_length < 16 ? ", folded" : "", root, name);
	else
		print_line("file system", "number %u (%s)", facts->number, name);
}

static void print_fileid(const struct filehandle_facts *facts)
{
	CLEANUP(freep) char *hex = hex_of(facts->fileid, facts->fileid_length);
	const char *name = filehandle_fileid_name(facts->fileid_type);

	if (facts->shape == FILEID_NONE)
		print_line("file", "the root of the export (%s)", name);
	else if (facts->has_inode && facts->has_parent)
		print_line("file",
			   "inode %llu, generation %u, in the directory with inode %llu (%s)",
			   (unsigned long long)facts->inode, facts->generation,
			   (unsigned long long)facts->parent_inode, name);
	else if (facts->has_inode)
		print_line("file", "inode %llu, generation %u (%s)",
			   (unsigned long long)facts->inode, facts->generation, name);
	else
		print_line("file", "%s (%s, type %#x)", hex ?: "?", name ?: "not known here",
			   facts->fileid_type);
}

static void print_medium(const struct place *place)
{
	const char *identity = value_of(place, "identity");
	const char *identity_now = value_of(place, "identity-now");
	bool is_retired = is_set(place, "retired");

	if (identity)
		print_line("medium", "%s%s", identity,
			   is_retired ? " (the number is retired)" : "");
	else if (is_retired)
		print_line("medium", "the number is retired");
	if (identity && identity_now)
		print_line("",
			   "there now: %s, number %s: until the other is back this handle is "
			   "stale",
			   identity_now, value_of(place, "fsid") ?: "?");
	if (!identity_now && !is_set(place, "fits"))
		print_line("", "not mounted now: exportsctl mount would tell which file this is");
}

static void print_place(const struct place *place)
{
	print_line("path", "%s", value_of(place, "path") ?: "?");
	if (is_medium(place))
		print_medium(place);
	if (!place->has_file)
		return;
	if (place->file.error)
		print_line("name", "%s", file_error(place->file.error));
	else if (*place->file.path)
		print_line("name", "%s", place->file.path);
	else
		print_line("name", "inode %llu, which was not found by name",
			   (unsigned long long)place->file.inode);
}

static void print_handle(const struct filehandle *handle, const struct filehandle_facts *facts)
{
	CLEANUP(freep) char *hex = hex_of(handle->bytes, handle->n_bytes);

	print_line("handle", "%s", hex ?: "?");
	if (handle->n_whole > handle->n_bytes)
		print_line("", "%zu of %zu bytes: whatever printed it cut it off", handle->n_bytes,
			   handle->n_whole);
	else
		print_line("", "%zu bytes, hash 0x%08x", handle->n_bytes,
			   filehandle_hash(handle->bytes, handle->n_bytes));
	if (facts->fault != FILEHANDLE_GOOD) {
		print_line("", "%s", filehandle_fault_text(facts->fault));
		return;
	}
	print_fsid(facts);
	print_fileid(facts);
}

/* ---- for programs ---- */

static void add_hex(struct json_object *object, const char *name, const uint8_t *bytes,
		    size_t n_bytes)
{
	CLEANUP(freep) char *hex = hex_of(bytes, n_bytes);

	if (hex)
		json_object_object_add(object, name, json_object_new_string(hex));
}

static void add_facts(struct json_object *object, const struct filehandle_facts *facts)
{
	json_add_text(object, "fsid_type", filehandle_fsid_name(facts->fsid_type));
	if (facts->fsid_type == FSID_NUM)
		json_add_number(object, "fsid", facts->number);
	if (facts->has_device) {
		json_add_number(object, "major", facts->major);
		json_add_number(object, "minor", facts->minor);
	}
	if (facts->has_uuid)
		add_hex(object, "uuid", facts->uuid, facts->uuid_length);
	if (facts->has_root_inode)
		json_add_number(object, "root_inode", facts->root_inode);
	json_add_number(object, "fileid_type", facts->fileid_type);
	json_add_text(object, "fileid_name", filehandle_fileid_name(facts->fileid_type));
	add_hex(object, "fileid", facts->fileid, facts->fileid_length);
	if (facts->has_inode) {
		json_add_number(object, "inode", facts->inode);
		json_add_number(object, "generation", facts->generation);
	}
	if (facts->has_parent)
		json_add_number(object, "parent_inode", facts->parent_inode);
}

static struct json_object *json_of_place(const struct place *place)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "path", value_of(place, "path") ?: "");
	json_add_text(object, "kind", value_of(place, "kind") ?: "");
	json_add_text(object, "identity", value_of(place, "identity"));
	json_add_text(object, "identity_now", value_of(place, "identity-now"));
	if (value_of(place, "fsid"))
		json_add_number(object, "fsid_now", get_number(&place->message, "fsid"));
	json_add_text(object, "state", value_of(place, "state"));
	json_object_object_add(object, "retired",
			       json_object_new_boolean(is_set(place, "retired")));
	if (place->has_file && place->file.error)
		json_add_text(object, "error", file_error(place->file.error));
	else if (place->has_file && *place->file.path)
		json_add_text(object, "name", place->file.path);
	return object;
}

static void print_json(const struct filehandle *handle, const struct filehandle_facts *facts,
		       const struct place *places)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();

	add_hex(object, "handle", handle->bytes, handle->n_bytes);
	json_add_number(object, "bytes", handle->n_whole);
	if (handle->n_whole == handle->n_bytes)
		json_add_number(object, "hash", filehandle_hash(handle->bytes, handle->n_bytes));
	if (facts->fault == FILEHANDLE_GOOD)
		add_facts(object, facts);
	else
		json_add_text(object, "fault", filehandle_fault_text(facts->fault));
	for (; places; places = places->next)
		json_object_array_add(array, json_of_place(places));
	json_object_object_add(object, "places", array);
	json_print(object);
	json_object_put(object);
}

/* ---- the command ---- */

static int explain(const struct ctl_invocation *invocation, const struct filehandle *handle)
{
	bool json = ctl_option(invocation, "json"), asked;
	struct filehandle_facts facts;
	struct place *places = NULL;

	filehandle_decode(handle, &facts);
	if (!json)
		print_handle(handle, &facts);
	fflush(stdout);
	asked = facts.fault == FILEHANDLE_GOOD && find_places(invocation, &facts, &places);
	if (handle->n_whole == handle->n_bytes)
		find_files(places, &facts);
	if (json)
		print_json(handle, &facts, places);
	for (const struct place *place = json ? NULL : places; place; place = place->next)
		print_place(place);
	if (asked && !places)
		complain("nothing that is or was exported here has this id");
	asked = asked && places;
	places_free(places);
	return asked ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct ctl_invocation *invocation)
{
	CLEANUP(freep) char *text = join_arguments(invocation->arguments);
	struct filehandle handle;
	const char *why;
	uint32_t hash;
	int r = text ? filehandle_parse(text, &handle, &hash, &why) : -ENOMEM;

	if (r == 0)
		return explain(invocation, &handle);
	if (r == FILEHANDLE_HASH)
		complain("%08x is as long as a hash, and a handle cannot be made of its hash; "
			 "exportsctl handle prints the hash of each handle, to be compared",
			 hash);
	else
		complain("this is no file handle: %s", r == -ENOMEM ? strerror(ENOMEM) : why);
	return EXIT_FAILURE;
}

const struct ctl_command ctl_handle = {
	.name = "handle",
	.usage = "HEX... [--json]",
	.summary = "what a file handle is the handle of: path, medium, file",
	.min = 1,
	.max = CTL_ANY_NUMBER,
	.options = { CTL_JSON },
	.run = run,
};
