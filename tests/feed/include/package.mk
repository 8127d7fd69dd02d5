# Stands in for OpenWrt's package.mk: `dump-NAME` tells what a package says of itself, `root-NAME` installs it into
# OUT/root-NAME, `prepare` and `compile` do what the real ones do.
ifeq ($(PKG_NAME),)
  $(error PKG_NAME is missing)
endif
PKG_BUILD_DIR?=$(BUILD_DIR)/$(PKG_NAME)-$(PKG_VERSION)
PKG_INSTALL_DIR?=$(PKG_BUILD_DIR)/ipkg-install
PKG_JOBS:=$(if $(filter 1,$(PKG_BUILD_PARALLEL)),--jobserver-fds=3)
MAKE_PATH:=.

.PHONY: prepare compile
prepare:
	rm -rf $(PKG_BUILD_DIR)
	$(Build/Prepare)
compile:
	$(Build/Compile)

define BuildPackage
  SOURCE:=$$(CURDIR)
  MENU:=
  PKGARCH:=
  $$(eval $$(Package/$(1)))
  $$(foreach field,TITLE CATEGORY SECTION,$$(if $$($$(field)),,$$(error Package/$(1) is missing the $$(field) field)))
  dump-$(1): TITLE:=$$(TITLE)
  dump-$(1): DEPENDS:=$$(DEPENDS)
  dump-$(1): PKGARCH:=$$(PKGARCH)
  export DESCRIPTION_$(subst -,_,$(1)):=$$(Package/$(1)/description)
  export CONFFILES_$(subst -,_,$(1)):=$$(Package/$(1)/conffiles)
  export CONFIG_$(subst -,_,$(1)):=$$(Package/$(1)/config)
  export POSTINST_$(subst -,_,$(1)):=$$(Package/$(1)/postinst)

  dump-$(1):
	@echo 'name=$$(PKG_NAME)'
	@echo 'version=$$(PKG_VERSION)'
	@echo 'release=$$(PKG_RELEASE)'
	@echo 'license=$$(PKG_LICENSE)'
	@echo 'license files=$$(PKG_LICENSE_FILES)'
	@echo 'maintainer=$$(PKG_MAINTAINER)'
	@echo 'build depends=$$(PKG_BUILD_DEPENDS)'
	@echo 'file depends=$$(PKG_FILE_DEPENDS)'
	@echo 'config depends=$$(PKG_CONFIG_DEPENDS)'
	@echo 'features=$$(CWMP_FEATURES)'
	@echo 'title=$$(TITLE)'
	@echo 'depends=$$(DEPENDS)'
	@echo 'arch=$$(PKGARCH)'
	@printenv 'DESCRIPTION_$(subst -,_,$(1))' | sed 's/^/description=/' || :
	@printenv 'CONFFILES_$(subst -,_,$(1))' | sed 's/^/conffile=/'
	@printenv 'CONFIG_$(subst -,_,$(1))' | sed 's/^/config=/'
	@printenv 'POSTINST_$(subst -,_,$(1))' | sed 's/^/postinst=/'

  root-$(1):
	$$(call Package/$(1)/install,$$(OUT)/root-$(1))
endef
