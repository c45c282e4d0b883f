"""What a guest boots: Debian's kernel, unpacked and never installed, and an initramfs with the modules it needs.

Both are made once and kept in a cache that clones share.
"""

import fcntl
import hashlib
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing

HERE = pathlib.Path(__file__).resolve().parent
MODULES = ["virtio_pci", "virtio_console", "virtio_net", "9pnet_virtio", "9p", "overlay", "crc32_generic", "crc32c_generic",
           "rdma_ucm", "ib_umad", "rdma_rxe", "dummy", "veth", "sch_netem", "pvpanic-pci"]
APPLETS = ["sh", "mount", "mkdir", "cat", "ls", "insmod", "chroot", "poweroff", "sync", "mkfifo"]
# What of the kernel's modules is worth unpacking: those above and what they depend on lie there.
MODULE_FOLDERS = ["drivers/infiniband", "drivers/virtio", "drivers/net", "drivers/char", "drivers/misc", "net", "fs", "crypto",
                  "arch/x86/crypto", "lib"]


class Image(typing.NamedTuple):
    """What QEMU needs of it, and where the guest finds the rest of the kernel's modules."""
    kernel: pathlib.Path
    initramfs: pathlib.Path
    modules: pathlib.Path


class ImageError(Exception):
    """A step that failed, with what to do."""


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("NPF_RXE_CACHE") or pathlib.Path(base) / "npf" / "rxe")


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise ImageError(f"{' '.join(map(str, command))} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def kernel_package():
    """The package that linux-image-amd64 depends on."""
    for attempt in range(2):
        listed = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True, check=False)
        for line in listed.stdout.splitlines():
            if "Depends: linux-image-" in line:
                return line.split()[-1]
        if attempt == 0 and os.geteuid() == 0:
            run(["apt-get", "-q", "update"])
    raise ImageError("apt-cache knows no package linux-image-amd64; run: apt-get update")


def unpack_kernel(package, folder):
    """The kernel's modules and its image into folder, from the package as downloaded."""
    version = package.removeprefix("linux-image-")
    print(f"rxe: fetching {package} (about 70 MB, once)", file=sys.stderr, flush=True)
    run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", "download", package], cwd=folder)
    archive = next(folder.glob("*.deb"))
    wanted = [f"./boot/vmlinuz-{version}", *(f"./lib/modules/{version}/kernel/{each}" for each in MODULE_FOLDERS),
              f"./lib/modules/{version}/modules.builtin", f"./lib/modules/{version}/modules.order"]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as opened:
        run(["tar", "x", *wanted], cwd=folder, stdin=opened.stdout)
    run(["depmod", "-b", folder, version])
    # Uncompressed, QEMU starts it through its PVH entry; unpacking it under emulation would take three seconds a boot.
    (folder / "vmlinux").write_bytes(decompressed((folder / "boot" / f"vmlinuz-{version}").read_bytes()))
    archive.unlink()


def decompressed(image):
    """The ELF file inside a bzImage that is packed with xz (Documentation/x86/boot.rst: payload_offset)."""
    at = image.find(b"\xfd7zXZ\x00")
    while at >= 0:
        try:
            payload = lzma.LZMADecompressor().decompress(image[at:])
        except lzma.LZMAError:
            payload = b""
        if payload.startswith(b"\x7fELF"):
            return payload
        at = image.find(b"\xfd7zXZ\x00", at + 1)
    raise ImageError("the kernel's image is not packed with xz, which is all that this script unpacks")


def module_files(folder, version):
    """Each module's file behind those that it needs."""
    files = []
    for module in MODULES:
        shown = run(["modprobe", "-d", folder, "-S", version, "--show-depends", module])
        files += [line.split()[1] for line in shown.splitlines() if line.startswith("insmod ")]
    return list(dict.fromkeys(files))


def static_busybox():
    found = shutil.which("busybox")
    if "INTERP" in run(["readelf", "-lW", found]):
        raise ImageError(f"{found} needs libraries, which an initramfs has not; install busybox-static")
    return found


def pack_initramfs(kernel, folder):
    version = os.listdir(kernel / "lib/modules")[0]
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        for each in ["bin", "dev", "proc", "sys", "mnt", "modules"]:
            (root / each).mkdir()
        shutil.copy(static_busybox(), root / "bin" / "busybox")
        for applet in APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
        for number, file in enumerate(module_files(kernel, version)):
            copy = root / "modules" / f"{number:03}-{os.path.basename(file)}"
            shutil.copy(file, copy)
            run(["strip", "-g", copy])  # debug information and signature: half of what would be read at each boot
        shutil.copy(HERE / "init", root / "init")
        names = "\n".join(sorted(path.relative_to(root).as_posix() for path in root.rglob("*")))
        with open(folder / "initramfs.cpio", "wb") as packed:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), stdout=packed, check=True)


def made_once(folder, make):
    """folder, filled by make(unfinished) if it is not there."""
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            unfinished = pathlib.Path(temporary) / "unfinished"
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


def newest_kernel(cache):
    """The package that was fetched last, or nothing."""
    fetched = [each.parent for each in cache.glob("*/vmlinux")]
    return max(fetched, key=lambda each: each.stat().st_mtime).name if fetched else None


def ready_image(is_newest_wanted=False):
    """From the cache where it is there. Asking apt takes a second, so only who wants the newest kernel waits for it."""
    recipe = hashlib.sha256((HERE / "init").read_bytes() + pathlib.Path(__file__).read_bytes()).hexdigest()[:12]
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be making them
        package = (None if is_newest_wanted else newest_kernel(cache)) or kernel_package()
        kernel = made_once(cache / package, lambda folder: unpack_kernel(package, folder))
        initramfs = made_once(cache / f"{package}-{recipe}", lambda folder: pack_initramfs(kernel, folder))
    return Image(kernel / "vmlinux", initramfs / "initramfs.cpio", kernel / "lib/modules")
