// SPDX-License-Identifier: GPL-2.0
/*
 * Opcode tables of the 0F38 and 0F3A maps: MOVNTDQA, INVPCID, MOVDIRI, MOVBE,
 * CRC32, ADCX, ADOX, BMI. Data only. An entry that is absent is not known: UNHANDLED, not #UD.
 */
#include "optab.h"

#define BMI	(OF_NOREAD | OF_VEXONLY | OF_L0)
#define BMIV	(OF_NOREAD | OF_VEXONLY | OF_L0 | OF_VVVV)

/* Streaming load, used on write-combining MMIO. */
static const struct umbra_emul_opcode movntdqa_mod[2] = {
	OP2(vmov, OF_RAW | OF_VEX | OF_ALIGNED, O_VL, O_WL), {},
};

static const struct umbra_emul_opcode opcode_2a[4] = {
	[1] = OPSUB(MOD, movntdqa_mod),
};

static const struct umbra_emul_opcode opcode_82[4] = {
	[1] = OP2(invpcid, OF_RAW | OF_PRIV, O_GN, O_M0),
};

static const struct umbra_emul_opcode opcode_f9[4] = {
	[0] = OP2(mov, OF_NOREAD, O_MY, O_GY),		/* MOVDIRI */
};

static const struct umbra_emul_opcode opcode_f0[4] = {
	OP2(movbe, OF_NOREAD, O_GV, O_MV), OP2(movbe, OF_NOREAD, O_GV, O_MV),
	{}, OP2(crc32, 0, O_GY, O_EB),
};

static const struct umbra_emul_opcode opcode_f1[4] = {
	OP2(movbe, OF_NOREAD, O_MV, O_GV), OP2(movbe, OF_NOREAD, O_MV, O_GV),
	{}, OP2(crc32, 0, O_GY, O_EV),
};

static const struct umbra_emul_opcode opcode_f2[4] = {
	[0] = OP3(andn, BMIV, O_GY, O_BY, O_EY),
};

static const struct umbra_emul_opcode group17[8] = {
	[1] = OP2(blsr, BMIV, O_BY, O_EY),
	[2] = OP2(blsmsk, BMIV, O_BY, O_EY),
	[3] = OP2(blsi, BMIV, O_BY, O_EY),
};

static const struct umbra_emul_opcode opcode_f3[4] = {
	[0] = OPSUB(GROUP, group17),
};

static const struct umbra_emul_opcode opcode_f5[4] = {
	[0] = OP3(bzhi, BMIV, O_GY, O_EY, O_BY),
	[2] = OP3(pext, BMIV, O_GY, O_BY, O_EY),
	[3] = OP3(pdep, BMIV, O_GY, O_BY, O_EY),
};

static const struct umbra_emul_opcode opcode_f6[4] = {
	[1] = OP2(adcx, 0, O_GY, O_EY),
	[2] = OP2(adox, 0, O_GY, O_EY),
	[3] = OP3(mulx, BMIV, O_GY, O_BY, O_EY),
};

static const struct umbra_emul_opcode opcode_f7[4] = {
	OP3(bextr, BMIV, O_GY, O_EY, O_BY),
	OP3(shlx, BMIV, O_GY, O_EY, O_BY),
	OP3(sarx, BMIV, O_GY, O_EY, O_BY),
	OP3(shrx, BMIV, O_GY, O_EY, O_BY),
};

static const struct umbra_emul_opcode opcode_3a_f0[4] = {
	[3] = OP3(rorx, BMI, O_GY, O_EY, O_IU),
};

const struct umbra_emul_opcode umbra_emul_optab_38[256] = {
	[0x2a] = OPSUB(PFX, opcode_2a),
	[0x82] = OPSUB(PFX, opcode_82),
	[0xf0] = OPSUB(PFX, opcode_f0),
	[0xf1] = OPSUB(PFX, opcode_f1),
	[0xf2] = OPSUB(PFX, opcode_f2),
	[0xf3] = OPSUB(PFX, opcode_f3),
	[0xf5] = OPSUB(PFX, opcode_f5),
	[0xf6] = OPSUB(PFX, opcode_f6),
	[0xf7] = OPSUB(PFX, opcode_f7),
	[0xf9] = OPSUB(PFX, opcode_f9),
};

const struct umbra_emul_opcode umbra_emul_optab_3a[256] = {
	[0xf0] = OPSUB(PFX, opcode_3a_f0),
};
