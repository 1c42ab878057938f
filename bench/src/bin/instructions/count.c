/* A QEMU plugin that counts the instructions of the program QEMU runs, in a file that can be read at any time.
 *
 * The file must exist and holds the count as a 64-bit integer. Adding is not atomic: the functions have one thread.
 * Debian has no package with qemu-plugin.h, so the part that is needed is declared here, in version 1 of the interface.
 * https://www.qemu.org/docs/master/devel/tcg-plugins.html
 */

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_info_t;
struct qemu_plugin_tb;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *, uint64_t);

int qemu_plugin_version = 1;

static uint64_t *count;

static void count_block(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, count, qemu_plugin_tb_n_insns(block));
}

/* Takes one argument: count=FILE. */
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv) {
  (void)info;
  (void)argc;
  int file = open(argv[0] + strlen("count="), O_RDWR);
  count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (count == MAP_FAILED)
    return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, count_block);
  return 0;
}
