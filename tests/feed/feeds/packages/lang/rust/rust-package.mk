# Stands in for rust-package.mk of OpenWrt's package feed, with the profile it builds by.
RUST_PKG_LOCKED?=1
RUST_ARCH_DEPENDS:=@(aarch64||arm||mips||mipsel||x86_64)
CARGO_PKG_VARS=\
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 \
	CARGO_PROFILE_RELEASE_LTO=true \
	CARGO_PROFILE_RELEASE_OPT_LEVEL=z \
	CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true \
	CARGO_PROFILE_RELEASE_PANIC=unwind
CARGO_PKG_ARGS=
ifeq ($(strip $(RUST_PKG_LOCKED)),1)
  CARGO_PKG_ARGS+= --locked
endif

define Build/Compile/Cargo
	+$(CARGO_PKG_VARS) cargo install -v --profile release \
		$(if $(strip $(RUST_PKG_FEATURES)),--features "$(strip $(RUST_PKG_FEATURES))") \
		--root $(PKG_INSTALL_DIR) --path "$(PKG_BUILD_DIR)/$(if $(strip $(1)),$(strip $(1)),$(strip $(MAKE_PATH)))" \
		$(if $(filter --jobserver%,$(PKG_JOBS)),,-j1) $(CARGO_PKG_ARGS) $(2)
endef

define RustBinPackage
  ifndef Package/$(1)/install
    $$(error Package/$(1)/install would put the program into /usr/bin)
  endif
endef

Build/Compile=$(call Build/Compile/Cargo)
